"""What may follow a call that failed: the same again, another replica, another server's tool, or the bad news. Pure.

A call is made once more only if that cannot do anything twice: it cannot have reached its server, the server turned it
away, or its tool declares that calling it twice does no more than calling it once. Nothing that a client already heard
of (progress, a question) is begun anew behind its back, and nothing goes beyond the time that the call has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from vsm_mcp.errors import ServerDown, VsmError
from vsm_mcp.model.ending import Ending, ending_of
from vsm_mcp.model.routing_settings import RoutingSettings
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.traits import Traits

_ELSEWHERE: Final = frozenset({Ending.TRANSPORT, Ending.PROTOCOL, Ending.AUTH, Ending.QUOTA, Ending.OVERLOAD})
_TURNED_AWAY: Final = frozenset({Ending.AUTH, Ending.QUOTA, Ending.OVERLOAD})
"""The server, or whoever keeps it, said no before it did anything."""
_CRASHED: Final = "crashed"
_LEAST_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.05


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A call that failed.

    ``fresh`` says that its client heard nothing of it yet and waits for a plain answer, ``again`` how often it was made
    again already, ``left`` how many seconds it still has, ``sent`` whether it may have been done at an attempt before.
    """

    error: VsmError
    traits: Traits
    fresh: bool
    again: int
    left: float
    sent: bool = False

    @property
    def ending(self) -> Ending:
        """How it ended."""
        return ending_of(self.error)

    @property
    def untouched(self) -> bool:
        """Whether nobody did anything about it, for certain."""
        return not self.sent and (self.error.unsent or self.ending in _TURNED_AWAY)

    @property
    def safe(self) -> bool:
        """Whether nothing is done twice when it is made once more, and nobody is surprised by it."""
        return self.fresh and self.left > _LEAST_SECONDS and (self.untouched or self.traits.repeatable)


def may_go_elsewhere(failed: Failed) -> bool:
    """Say whether a replica, or a tool that stands in for it, may be asked."""
    return failed.safe and failed.ending in _ELSEWHERE


def may_repeat(failed: Failed, settings: RoutingSettings) -> bool:
    """Say whether the same server may be asked again: one whose connection broke, or that was killed as it came up.

    One that is known not to come up, or is left alone, is not.
    """
    if not failed.safe or failed.ending is not Ending.TRANSPORT or failed.again >= settings.retries:
        return False
    if isinstance(failed.error, ServerDown):
        return getattr(failed.error.cause, "code", "") == _CRASHED
    return True


def pause(again: int, chance: float, left: float) -> float:
    """Return the seconds before the next attempt; ``chance`` (0 to 1) spreads those that failed together."""
    return min(_PAUSE_SECONDS * 2.0**again * (0.5 + chance / 2.0), left / 4.0)


def may_stand_in(failed: Failed, other: Traits, settings: RoutingSettings) -> bool:
    """Say whether a tool with the traits ``other`` may answer in place of the one that failed, as far as effects go.

    What writes goes elsewhere only where it certainly did nothing before: what is idempotent here is something done in
    two places there.
    """
    if settings.failover == "off" or not may_go_elsewhere(failed):
        return False
    if failed.traits.read_only and other.read_only:
        return failed.traits.covers(other)
    return settings.failover == "same-effects" and failed.untouched and failed.traits.covers(other)


def denied(settings: RoutingSettings, pairs: Iterable[tuple[str, str]]) -> bool:
    """Say whether the settings keep one of some tools (server, name) out of this."""
    return any(matches(settings.failover_deny, *pair) for pair in pairs)


def matches(patterns: Collection[str], server: str, tool: str) -> bool:
    """Say whether a pattern over ``SERVER__TOOL`` names a tool."""
    return bool(patterns) and any(fnmatchcase(exposed(server, tool), pattern) for pattern in patterns)
