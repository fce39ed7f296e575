"""Several processes of one server that keeps no state: each call goes to the one with the fewest, or waits its turn.

Nothing is borrowed or given back: a call counts for as long as it is in flight, so nobody can forget to return one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from vsm_mcp.errors import Overloaded, ServerDown
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.status import PoolStatus
from vsm_mcp.runtime.tenure import Sizes
from vsm_mcp.runtime.unit import Unit
from vsm_mcp.wire.connection import Connection

OVERFLOW_SECONDS: Final = 30.0
"""How long a process beyond the usual number stays without a call."""

_HINT: Final = "try again in a while; --pool-size, --max-overflow and --calls-at-once say how much it takes at a time"


def fewest(loads: Sequence[int | None], calls_at_once: int) -> int | None:
    """Return which process gets the next call: the first of those with the fewest calls; ``None`` if all are full.

    ``loads`` are the calls of each in flight; ``None`` is one that does not run. Pure.
    """
    best: int | None = None
    least = calls_at_once or float("inf")
    for number, load in enumerate(loads):
        if load is not None and load < least:
            best, least = number, load
    return best


class Replicas:
    """The processes that share a server's calls. ``units`` begins with the one that every server has."""

    def __init__(self, shared: Unit, sizes: Sizes, make: Callable[[], Unit], leave: Callable[[Unit], None]) -> None:
        """``make`` makes one more unit, ``leave`` begins to end one."""
        self.units = [shared]
        self.sizes = sizes
        self._make = make
        self._leave = leave
        self._queue: deque[asyncio.Future[Connection | None]] = deque()
        self._promised: Counter[Connection] = Counter()
        self._waited = self._refused = self._timed_out = 0

    def resize(self, sizes: Sizes) -> None:
        """Have other sizes from now on; what is too many ends when it is idle."""
        self.sizes = sizes
        self.freed()

    def ready(self) -> Connection | None:
        """Return a connection that can take a call at once; ``None`` where one has to wait, or others wait already.

        Who was promised a place and has not come yet waits, too.
        """
        return None if self._queue or self._promised else self._free()

    async def connection(self, seconds: float) -> Connection:
        """Return a connection that can take a call, first come, first served, within so many seconds.

        Raises what :meth:`Unit.connection` raises, and :class:`Overloaded` when too many wait, or for too long.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            free = self.ready()
            if free is not None:
                return free
            left = max(deadline - loop.time(), 0.0)
            self.begin()
            if not any(unit.open for unit in self.units):
                alive = (unit for unit in self.units if unit.state is not ServerState.GAVE_UP)
                await next(alive, self.units[0]).connection(left)
                continue  # it may have been given to somebody who waited longer
            given = await self._turn(left)
            if given is not None:
                return given

    def begin(self, *, afresh: bool = False) -> None:
        """See to it that the usual number runs; ``afresh`` forgets the failures of each."""
        while len(self.units) < self.sizes.size:
            self.units.append(self._make())
        for unit in self.units[: self.sizes.size]:
            if afresh or (unit.untended and unit.state is not ServerState.GAVE_UP):
                unit.begin(afresh=afresh)

    def freed(self) -> None:
        """Take note that a unit came up or went: the calls of those that run are watched, who waits is served."""
        running = tuple(self._open())
        for connection in running:
            connection.on_fewer(self._serve)
        if not running:
            self._dismiss()
        self._serve()

    def rest(self, now: float, idle_seconds: float) -> None:
        """Begin to end what is idle: the usual ones together after ``idle_seconds`` (0: never), each other earlier."""
        quiet = [unit.quiet(now) for unit in self.units]
        usual = self.units[: self.sizes.size]
        if min(quiet[: len(usual)]) >= idle_seconds > 0:
            for unit in usual:
                if unit.state is ServerState.READY:
                    self._leave(unit)
        patience = min(idle_seconds or OVERFLOW_SECONDS, OVERFLOW_SECONDS)
        for unit, seconds in tuple(zip(self.units, quiet, strict=True))[len(usual) :]:
            if seconds >= patience:
                self.units.remove(unit)
                self._leave(unit)

    def disband(self, reason: str) -> tuple[Unit, ...]:
        """Return all but the shared one, for somebody to end, and refuse whoever waits."""
        for connection in self._open():
            connection.on_fewer(None)
        extra = tuple(self.units[1:])
        del self.units[1:]
        for waiter in self._queue:
            if not waiter.done():
                waiter.set_exception(ServerDown(f"{self.units[0].name} was stopped: {reason}"))
        return extra

    def status(self) -> PoolStatus:
        """Return what is known now."""
        return PoolStatus(
            size=self.sizes.size,
            overflow=max(len(self.units) - self.sizes.size, 0),
            ready=sum(unit.open is not None for unit in self.units),
            calls=sum(connection.calls for connection in self._open()),
            waiting=len(self._queue),
            waited=self._waited,
            refused=self._refused,
            timed_out=self._timed_out,
            pids=tuple(pid for unit in self.units if (pid := unit.pid) is not None),
        )

    # --- inside -------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Give what is free to those who wait, in their order."""
        while self._queue and (free := self._free()) is not None:
            waiter = self._queue.popleft()
            if not waiter.done():
                self._promised[free] += 1
                waiter.set_result(free)

    def _open(self) -> Iterator[Connection]:
        return (connection for unit in self.units if (connection := unit.open) is not None)

    def _free(self) -> Connection | None:
        loads = [
            None if (connection := unit.open) is None else connection.calls + self._promised[connection]
            for unit in self.units
        ]
        number = fewest(loads, self.sizes.calls_at_once)
        return None if number is None else self.units[number].ready()

    async def _turn(self, seconds: float) -> Connection | None:
        """Wait in the queue; ``None`` when nothing runs any more, and one has to begin anew."""
        name, sizes = self.units[0].name, self.sizes
        self._grow()
        if len(self._queue) >= sizes.queue:
            self._refused += 1
            raise Overloaded(f"{name} is busy, and {len(self._queue)} calls wait for it already", _HINT)
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        self._waited += 1
        patience = min(seconds, sizes.queue_seconds)
        try:
            async with asyncio.timeout(patience):
                given = await waiter
        except TimeoutError:
            self._timed_out += 1
            raise Overloaded(f"{name} was busy for {patience:g} s, with others before this call", _HINT) from None
        finally:
            self._settled(waiter)
        return given if given is not None and not given.closed.done() else None

    def _settled(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Take a waiter out: its call begins now, or never."""
        if waiter in self._queue:
            self._queue.remove(waiter)
        if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
            return
        given = waiter.result()
        if given is not None:
            self._promised[given] -= 1
            if not self._promised[given]:
                del self._promised[given]
            # If its call begins, this finds nothing free; if it does not (it was cancelled), it is the next one's.
            asyncio.get_running_loop().call_soon(self._serve)

    def _dismiss(self) -> None:
        """Send away all who wait: they come back in their order."""
        waiting, self._queue = self._queue, deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _grow(self) -> None:
        """Begin one process more, where there may be one and none is on its way."""
        if len(self.units) < self.sizes.size + self.sizes.overflow and all(unit.open for unit in self.units):
            self.units.append(self._make())
            self.units[-1].begin()
