"""A rollout: a newcomer on its way into the place of an incumbent, and all that was counted on it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from vsm_mcp.model.stand_in import StandIn

ODDS = (0.03, 0.08, 0.25, 0.6)
"""The shares of additional failures that a wager is laid on."""


class Phase(StrEnum):
    """Where a rollout stands.

    ``SHADOW``: the newcomer gets copies. ``SHARE``: it gets its share. ``FINISHING``: it takes the incumbent's place.
    ``RETIRING``: it has, and what began with it ends with it. ``STANDING``: a rival that all matching calls go to from
    now on. ``DONE`` and ``ROLLED_BACK`` are over.
    """

    SHADOW = "shadow"
    SHARE = "share"
    FINISHING = "finishing"
    RETIRING = "retiring"
    STANDING = "standing"
    DONE = "done"
    ROLLED_BACK = "rolled_back"


OVER = frozenset({Phase.DONE, Phase.ROLLED_BACK})
"""Nothing is left to be done."""

SETTLED = OVER | {Phase.RETIRING}
"""It is decided how it ended."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of one side's calls of one tool.

    ``faults`` speak against the server, ``errors`` are all other ends but a plain answer (``isError`` among them).
    ``timed`` plain answers took a time; ``logs`` and ``squares`` are sums of the logarithm of it and of its square.
    """

    calls: int = 0
    faults: int = 0
    errors: int = 0
    timed: int = 0
    logs: float = 0.0
    squares: float = 0.0

    def plus(self, other: Side) -> Side:
        """Return both together."""
        return Side(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """So many calls, and so many of them bad."""

    calls: int = 0
    bad: int = 0


class Wager(msgspec.Struct, frozen=True, kw_only=True):
    """A bet that the newcomer is worse at one tool: see :mod:`vsm_mcp.routing.wager`.

    ``incumbent`` and ``newcomer`` are the calls that were bet on, ``waiting`` those that were not yet (incumbent,
    newcomer). ``logs`` holds the logarithm of what each of the :data:`ODDS` has made of a stake of 1 in this stage.
    """

    incumbent: Counts = Counts()
    newcomer: Counts = Counts()
    waiting: tuple[Counts, Counts] = (Counts(), Counts())
    logs: tuple[float, ...] = (0.0,) * len(ODDS)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """One tool: both sides in this stage and before, and the wagers on faults and on bad ends of any kind."""

    incumbent: Side = Side()
    newcomer: Side = Side()
    incumbent_before: Side = Side()
    newcomer_before: Side = Side()
    faults: Wager = Wager()
    bad: Wager = Wager()


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the copies of calls: ``same`` answers, ``different`` ones, those that failed on either side alone.

    ``dropped`` copies were never sent, because enough were on their way. ``where`` counts the places of differences.
    """

    same: int = 0
    different: int = 0
    failed: int = 0
    dropped: int = 0
    where: Mapping[str, int] = {}


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """One rollout, as it is kept. Times in seconds since the epoch.

    ``id`` is that of its evidence; for an upgrade that of the acquisition. ``newcomer`` is the name it runs under.
    ``stand_ins`` say, by tool of the incumbent, how a rival is asked; for a version they are empty, and ``tools`` are
    taken by their own names. ``since`` is when the stage began. ``held`` by hand, it stays where it is.
    """

    id: str
    server: str
    newcomer: str
    before: str = ""
    after: str = ""
    actor: str = ""
    tools: tuple[str, ...] = ()
    stand_ins: Mapping[str, StandIn] = {}
    phase: Phase = Phase.SHARE
    stage: int = 0
    stages: tuple[int, ...] = (100,)
    began: float = 0.0
    since: float = 0.0
    held: bool = False
    reason: str = ""
    tallies: Mapping[str, Tally] = {}
    mirrored: Mirrored = Mirrored()

    @property
    def rival(self) -> bool:
        """Whether another server stands in, rather than another version."""
        return bool(self.stand_ins)

    @property
    def percent(self) -> int:
        """The share of the calls that the newcomer gets now."""
        if self.phase in (Phase.FINISHING, Phase.RETIRING, Phase.STANDING, Phase.DONE):
            return 100
        return self.stages[self.stage] if self.phase is Phase.SHARE else 0
