"""How much of the daemon's time one sandbox may take: a flood waits for its turn, and so do its bytes.

The daemon serves all servers in one thread. What a hostile program sends to its name server, its listeners and into the
void is taken in bursts with pauses, and what it pumps through its connections no faster than a fast network would.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

_BURST: Final = 32
_TURN: Final = 8
_WINDOW_SECONDS: Final = 0.02
_BYTES_PER_SECOND: Final = 64 * 1024 * 1024

Take = Callable[[socket.socket], None]
"""Takes one thing from a socket. Raises :class:`BlockingIOError` when there is none; any other error is a reason to
pause."""


class Pace:
    """Serves the sockets of one sandbox: of all of them together 32 things in 20 ms, by turns."""

    def __init__(self) -> None:
        self._sources: dict[socket.socket, Take] = {}
        self._left = _BURST
        self._loop = asyncio.get_running_loop()
        self._window: asyncio.TimerHandle | None = None

    def serve(self, source: socket.socket, take: Take) -> None:
        """Call ``take`` while there is something to take."""
        self._sources[source] = take
        if self._left:
            self._loop.add_reader(source.fileno(), self._ready, source)

    def stop(self) -> list[socket.socket]:
        """Stop, and return the sockets, to be closed."""
        if self._window is not None:
            self._window.cancel()
        sources = list(self._sources)
        self._sources.clear()
        for source in sources:
            self._loop.remove_reader(source.fileno())
        return sources

    def _ready(self, source: socket.socket) -> None:
        if self._window is None:
            self._window = self._loop.call_later(_WINDOW_SECONDS, self._go_on)
        try:
            for _ in range(min(_TURN, self._left)):
                self._sources[source](source)
                self._left -= 1
        except BlockingIOError:
            return
        except OSError:
            self._left = 0  # no descriptor is free, or the like: later perhaps
        if not self._left:
            for each in self._sources:
                self._loop.remove_reader(each.fileno())

    def _go_on(self) -> None:
        self._window = None
        paused, self._left = not self._left, _BURST
        for source in self._sources if paused else ():
            self._loop.add_reader(source.fileno(), self._ready, source)


class Meter:
    """Lets the bytes of one sandbox pass at 64 MiB a second, of all its connections together."""

    def __init__(self) -> None:
        self._due = 0.0

    async def passed(self, count: int) -> None:
        """Take note of bytes that passed; return when more may."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now) + count / _BYTES_PER_SECOND
        if self._due - now > _WINDOW_SECONDS:
            await asyncio.sleep(self._due - now)
