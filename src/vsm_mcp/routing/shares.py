"""Which part of the calls goes to a newcomer: the same caller always to the same side, by a stable hash."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn

_WHOLE: Final = 10_000

Copy = Callable[[str, Mapping[str, Raw], bytes | Raw], None]
"""Called with the tool, the params and the served result of a call that a newcomer gets a copy of; does not wait."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """``percent`` (0 to 100) of the calls go to ``newcomer``; ``salt`` draws other callers for each rollout.

    ``newcomer`` is the name under which the newcomer runs: another server, or ``NAME@VERSION``. ``tools`` are the names
    that the newcomer offers; what it does not offer stays where it was. ``stand_ins`` say, by tool, how a rival is
    asked.

    A caller without a name and without a session draws anew with each call (``loose``), unless the server keeps state.
    ``staying`` are the sessions that the incumbent has a process for, ``coming`` those that the newcomer has one for:
    each stays with it until it ends. The calls of the tools ``copied`` are given to ``copy`` when they are answered.
    """

    newcomer: str
    percent: float
    salt: str
    tools: Collection[str] = frozenset()
    stand_ins: Mapping[str, StandIn] = {}
    loose: bool = True
    staying: Collection[str] = frozenset()
    coming: Collection[str] = frozenset()
    copied: Collection[str] = frozenset()
    copy: Copy | None = None
    turns: Iterator[int] = msgspec.field(default_factory=itertools.count)

    def takes(self, caller: str) -> bool:
        """Return whether the calls of ``caller`` go to the newcomer; whoever did so keeps on when the share grows."""
        if caller:
            if caller in self.coming:
                return True
            if caller in self.staying:
                return False
        elif self.loose:
            caller = f"#{next(self.turns)}"
        return place(self.salt, caller) < self.percent / 100


def place(salt: str, caller: str) -> float:
    """Return where a caller stands between 0 and 1; even over callers, and the same for ever."""
    digest = hashlib.blake2b(f"{salt}\0{caller}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _WHOLE / _WHOLE
