"""What is open at one front: connections, requests without a task, and tasks; one timer looks after all of them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from vsm_mcp.gateway.turn import Turn


class Timing(NamedTuple):
    """How long, in seconds, a head may take; a connection may be silent, or not read; how often that is looked at."""

    head: float = 30.0
    idle: float = 120.0
    look: float = 10.0


class Watched(Protocol):
    """A connection."""

    def look(self, now: float) -> None:
        """Close, if the client takes too long over anything. ``now`` is the loop's time."""
        ...

    def shut(self) -> None:
        """Take no further request; close once what is being answered is answered."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Open:
    """Keeps account of what is open. ``timing`` holds for every connection."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        self.connections: set[Watched] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.turns: set[Turn] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None

    def enter(self, connection: Watched) -> None:
        """Look after a connection."""
        self.connections.add(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.timing.look, self._look)

    def exit(self, connection: Watched) -> None:
        """Take note that a connection is closed."""
        self.connections.discard(connection)
        if not self.connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def leave(self, turn: Turn) -> None:
        """Take note that a turn which no task answers is over."""
        self.turns.discard(turn)
        if self._empty is not None and not self.turns and not self._empty.done():
            self._empty.set_result(None)

    async def ended(self, seconds: float) -> bool:
        """Wait until every request is answered; ``False`` when that takes longer."""
        waited: set[asyncio.Future[None]] = set(self.tasks)
        if self.turns:
            self._empty = asyncio.get_running_loop().create_future()
            waited.add(self._empty)
        return not waited or not (await asyncio.wait(waited, timeout=seconds))[1]

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self.connections):
            connection.look(now)
        self._timer = loop.call_later(self.timing.look, self._look) if self.connections else None
