"""A health check: the plug-in point ``vsm_mcp.health_checks``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Protocol

import msgspec

from vsm_mcp.health.traffic import NONE, Traffic
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.health_settings import HealthSettings
from vsm_mcp.runtime.checkup import Health
from vsm_mcp.runtime.resources import Usage


class Condition(IntEnum):
    """How a server is: ``DEGRADED`` works, but badly or not for long; ``FAILING`` does not do its work."""

    HEALTHY = 0
    DEGRADED = 1
    FAILING = 2

    def __str__(self) -> str:
        return self.name.lower()


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one check saw in one look.

    ``value`` is in ``unit``, ``limit`` what it should stay below (``None``: there is none), ``looked_at`` how many
    things it rests on (calls, answers, processes). ``basis`` says what was measured: readings of different bases are
    not one series. ``severity`` is what a server is whose check fails for long. ``ageing`` is for what grows with the
    age of a process, so that a new one has less of it.
    """

    status: CheckStatus
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    looked_at: int = 0
    detail: str = ""
    basis: str = ""
    severity: Condition = Condition.DEGRADED
    ageing: bool = False

    @property
    def failed(self) -> bool:
        """Whether the check failed; what could not look did not."""
        return self.status is CheckStatus.FAIL


def unavailable(detail: str) -> Reading:
    """Return what a check says that could not look."""
    return Reading(status=CheckStatus.UNAVAILABLE, detail=detail)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What one server may use: ``memory_bytes`` and ``open_files`` of all its processes (0: nobody says)."""

    memory_bytes: int = 0
    open_files: int = 0


class Subject(msgspec.Struct, kw_only=True):
    """One server in one look: what was seen of it since the last one.

    ``traffic`` are the calls that ended since then, ``recent`` those of the last minutes, fading; ``bounds_seconds``
    are the bounds of their buckets. ``unanswered`` counts the calls that were lost since it last answered anything, and
    ``in_flight`` those it works on. ``junk`` lines on stdout were no messages. ``differing`` items of what it offers
    are not as they were approved. ``ask`` asks it for a sign of life, once in a look however often it is called.
    """

    name: str
    settings: HealthSettings
    ask: Callable[[], Awaitable[Health]]
    traffic: Traffic = NONE
    recent: Traffic = NONE
    bounds_seconds: tuple[float, ...] = ()
    unanswered: float = 0.0
    in_flight: int = 0
    usage: Usage | None = None
    bounds: Bounds = Bounds()
    junk: int = 0
    differing: int = 0


class HealthCheck(Protocol):
    """One view of a running server. A :class:`~vsm_mcp.errors.VsmError` that it raises counts as unavailable."""

    async def look(self, subject: Subject) -> Reading:
        """Return what it saw."""
        ...
