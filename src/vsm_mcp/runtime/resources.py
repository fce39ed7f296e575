"""What the processes of each server use, looked at by one timer for all of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from vsm_mcp.events import CpuLimitReached, Emit, ignore
from vsm_mcp.model.beat import until_beat
from vsm_mcp.runtime import proc
from vsm_mcp.runtime.proc import Table
from vsm_mcp.runtime.status import Status

SHARE: Final = 0.0001
"""The most that looking may cost, in cores: who looks after many servers looks more rarely."""

_SHORTEST_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 60.0
_FRESH_SECONDS: Final = 1.0
_AT_A_TIME: Final = 64
_NEARLY: Final = 0.85
_LOOKS: Final = 2
"""In so many looks one after another a server has to use nearly all the CPU it may have, before that is told."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What all processes of one server use, at the time ``at`` (seconds since the epoch).

    ``rss_bytes`` counts a page that processes share for each of them, ``pss_bytes`` in parts. ``cpu_seconds`` is since
    they were started, ``cpu_share`` in cores since the look before. ``None`` is what cannot be seen, or was not yet
    looked at: ``pss_bytes`` and ``sockets`` are read when somebody asks for one server.
    """

    at: float
    processes: int
    threads: int
    rss_bytes: int
    pss_bytes: int | None = None
    cpu_seconds: float = 0.0
    cpu_share: float = 0.0
    open_files: int | None = None
    sockets: int | None = None


class _Seen(NamedTuple):
    """The CPU seconds of some processes at a moment of the loop's clock."""

    programs: frozenset[tuple[int, int]]
    cpu_seconds: float
    at: float


def pause(cost: float) -> float:
    """Return how long to wait after a look that took ``cost`` seconds of CPU."""
    return min(max(cost / SHARE, _SHORTEST_SECONDS), _LONGEST_SECONDS)


def pids_of(status: Status) -> tuple[int, ...]:
    """Return the programs that run for a server, as ids on this machine."""
    shared = (status.pid,) if status.pool is None else status.pool.pids
    return tuple(pid for pid in (*shared, *(each.pid for each in status.instances)) if pid)


class Resources:
    """Looks at what ``running`` names, every five seconds or more rarely; :meth:`begin` and :meth:`end` the timer.

    ``cores`` says how many one process of a server may use (0: no limit).
    """

    def __init__(
        self, running: Callable[[], Iterable[Status]], cores: Callable[[str], float], emit: Emit = ignore
    ) -> None:
        self._running = running
        self._cores = cores
        self._emit = emit
        self._at_limit: dict[str, int] = {}
        self._usages: dict[str, Usage] = {}
        self._seen: dict[str, _Seen] = {}
        self._looked = -_LONGEST_SECONDS
        self._timer: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look again and again from now on."""
        self._timer = asyncio.get_running_loop().create_task(self._watch(), name="resources")

    async def end(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])

    def of(self, name: str) -> Usage | None:
        """Return what was seen last; ``None`` for what has no process here."""
        return self._usages.get(name)

    def why_slow(self, name: str) -> str:
        """Return, as the end of a sentence, that a server uses all the CPU it may have; "" where it does not."""
        return (
            f": it uses all the CPU it may have ([sandbox] cpus = {self._cores(name):g})"
            if self._at_limit.get(name)
            else ""
        )

    async def look(self) -> float:
        """Look at all servers; return the seconds of CPU that it took."""
        self._looked = asyncio.get_running_loop().time()
        running = {status.name: pids for status in self._running() if (pids := pids_of(status))}
        for name in self._usages.keys() - running.keys():
            del self._usages[name]
            self._seen.pop(name, None)
            self._at_limit.pop(name, None)
        if not running:
            return 0.0
        table, cost = await snapshot()
        for name, pids in running.items():
            began = time.thread_time()
            self._take(name, table, pids, closely=False)
            self._judge(name, self._cores(name) * len(pids))
            cost += time.thread_time() - began
            await asyncio.sleep(0)
        return cost

    async def look_again(self) -> None:
        """Look at all servers, unless somebody has just done so."""
        if asyncio.get_running_loop().time() - self._looked >= _FRESH_SECONDS:
            await self.look()

    async def look_closely(self, name: str) -> Usage | None:
        """Look at one server now, also at what costs time to read; see :meth:`of`."""
        pids = next((pids_of(status) for status in self._running() if status.name == name), ())
        if not pids:
            return None
        table, _ = await snapshot()
        self._take(name, table, pids, closely=True)
        return self._usages.get(name)

    async def _watch(self) -> None:
        while True:
            cost = await self.look()
            await asyncio.sleep(until_beat(pause(cost), asyncio.get_running_loop().time()))

    def _take(self, name: str, table: Table, pids: Iterable[int], *, closely: bool) -> None:
        own = os.getpid()
        found = dict.fromkeys(pid for program in pids for pid in table.tree(program, own))
        stats = [table.stats[pid] for pid in found]
        if not stats:
            self._usages.pop(name, None)
            return
        before = self._usages.get(name)
        seconds, seen = sum(stat.cpu_seconds for stat in stats), self._seen.get(name)
        programs = frozenset((each.pid, each.started) for each in stats)
        rested = seen is not None and (seen.programs, seen.cpu_seconds) == (programs, seconds)
        self._usages[name] = Usage(
            at=time.time(),
            processes=len(stats),
            threads=sum(stat.threads for stat in stats),
            rss_bytes=sum(stat.rss_bytes for stat in stats),
            pss_bytes=proc.pss(found) if closely else before.pss_bytes if before else None,
            cpu_seconds=round(seconds, 2),
            cpu_share=round(self._share(name, programs, seconds), 4),
            open_files=before.open_files if before and rested and not closely else proc.open_files(found),
            sockets=proc.sockets(found) if closely else before.sockets if before else None,
        )

    def _judge(self, name: str, cores: float) -> None:
        """Tell of a server that uses all the CPU it may have."""
        usage = self._usages.get(name)
        reached = usage is not None and cores > 0 and usage.cpu_share >= _NEARLY * cores
        self._at_limit[name] = self._at_limit.get(name, 0) + 1 if reached else 0
        if self._at_limit[name] == _LOOKS:
            self._emit(CpuLimitReached(server=name, cores=cores))

    def _share(self, name: str, programs: frozenset[tuple[int, int]], seconds: float) -> float:
        """Return the share since the look before, if the same program was running then."""
        now = asyncio.get_running_loop().time()
        before, self._seen[name] = self._seen.get(name), _Seen(programs, seconds, now)
        if before is None or not (before.programs & programs) or now <= before.at:
            return 0.0
        return max(seconds - before.cpu_seconds, 0.0) / (now - before.at)


async def snapshot() -> tuple[Table, float]:
    """Read all processes, letting others run in between; return the seconds of CPU that this took as well."""
    table, cost, began = Table(), 0.0, time.thread_time()
    for number, stat in enumerate(proc.processes(), 1):
        table.add(stat)
        if number % _AT_A_TIME == 0:
            cost += time.thread_time() - began
            await asyncio.sleep(0)
            began = time.thread_time()
    return table, cost + time.thread_time() - began
