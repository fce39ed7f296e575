"""What is seen of each server between two looks: from the ledger of calls, from the timer that watches resources."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.config import Config
from vsm_mcp.errors import UnknownPermissions
from vsm_mcp.health.check import Bounds, Subject
from vsm_mcp.health.traffic import NONE, Traffic
from vsm_mcp.routing.ledger import BOUNDS, Ledger, Reader
from vsm_mcp.runtime.checkup import Health
from vsm_mcp.runtime.permissions import UNSAID, limited, profile_of
from vsm_mcp.runtime.resources import pids_of
from vsm_mcp.runtime.status import Status
from vsm_mcp.runtime.supervisor import Runtime

_LOST: Final = 3
"""So many calls that are lost between two glances at the ledger are a reason to look at once."""


class _Seen:
    """What was seen of one server: since the last look, in the last minutes, and since it last answered anything."""

    __slots__ = ("called", "junk", "looked", "recent", "traffic", "unanswered")

    def __init__(self) -> None:
        self.traffic = self.recent = NONE
        self.called = -math.inf
        self.looked = 0.0
        self.unanswered = 0.0
        self.junk = 0


class Sights:
    """Reads the ledger; ``now`` is in seconds since the epoch everywhere."""

    def __init__(self, runtime: Runtime, fleet: Fleet, ledger: Ledger, config: Callable[[], Config]) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._calls = Reader(ledger)
        self._config = config
        self._servers: dict[str, _Seen] = {}

    def glance(self) -> dict[str, bool]:
        """Take in which calls ended since the last glance; return whose, and whether they lost several of theirs."""
        found: dict[str, Traffic] = {}
        for (name, _), more in self._calls.news():
            found[name] = found.get(name, NONE) + Traffic(tuple(more.endings), tuple(more.buckets))
        return {name: self._take(name, more) for name, more in found.items()}

    def idle(self, name: str, seconds: float) -> bool:
        """Return whether no call of a server was seen to end for so long."""
        seen = self._servers.get(name)
        return seen is None or time.monotonic() - seen.called >= seconds

    def subject(self, status: Status, now: float) -> Subject:
        """Return a server for one look; what was seen since the last one counts for this one alone."""
        name, config = status.name, self._config()
        seen = self._servers.setdefault(name, _Seen())
        traffic, seen.traffic = seen.traffic, NONE
        seen.recent = seen.recent.faded(now - seen.looked) + traffic if seen.looked else traffic
        junk, seen.looked = max(status.junk - seen.junk, 0), now
        seen.junk = status.junk
        in_flight = status.in_flight if status.pool is None else status.pool.calls
        return Subject(
            name=name,
            settings=config.health,
            ask=_once(functools.partial(self._runtime.health, name, config.health.answer_seconds, told=False)),
            traffic=traffic,
            recent=seen.recent,
            bounds_seconds=BOUNDS,
            unanswered=seen.unanswered,
            in_flight=in_flight + sum(each.in_flight for each in status.instances),
            usage=self._runtime.resources.of(name),
            bounds=self._bounds(name, status, config),
            junk=junk,
            differing=len(self._fleet.frozen.get(name, ())),
        )

    def renewed(self, name: str) -> None:
        """Take note that another process runs: what calls said of the one before says nothing about it."""
        seen = self._servers.get(name)
        if seen is not None:
            seen.traffic = seen.recent = NONE
            seen.unanswered, seen.junk = 0.0, 0

    def forget(self, name: str) -> None:
        """Forget a server that is gone."""
        self._servers.pop(name, None)

    def _take(self, name: str, more: Traffic) -> bool:
        seen = self._servers.setdefault(name, _Seen())
        seen.traffic += more
        seen.called = time.monotonic()
        seen.unanswered = 0.0 if more.answered else seen.unanswered + more.lost
        return more.faults >= _LOST or (seen.unanswered > 0 and not more.answered)

    def _bounds(self, name: str, status: Status, config: Config) -> Bounds:
        programs = len(pids_of(status))
        server = self._fleet.servers.get(name)
        if server is None or not programs:
            return Bounds()
        try:
            profile = profile_of(server.settings, config)
        except UnknownPermissions:  # it is not started before there is one
            profile = UNSAID
        given, usage = limited(config.sandbox, profile), self._runtime.resources.of(name)
        processes = usage.processes if usage is not None else programs
        return Bounds(memory_bytes=given.memory_bytes * programs, open_files=given.open_files * processes)


def _once(ask: Callable[[], Awaitable[Health]]) -> Callable[[], Awaitable[Health]]:
    """Return what asks when it is first awaited, and gives the same answer ever after."""
    answers: list[Health] = []

    async def once() -> Health:
        if not answers:
            answers.append(await ask())
        return answers[0]

    return once
