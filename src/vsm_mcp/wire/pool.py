"""Sockets to one HTTP origin: opened when they are needed, kept while they are of use."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Final

from vsm_mcp.errors import TransportError
from vsm_mcp.wire.address import Address
from vsm_mcp.wire.dial import dial
from vsm_mcp.wire.http11 import Socket
from vsm_mcp.wire.transport import MakeSocket

MAX_SOCKETS: Final = 256
"""Sockets in use at a time, before further calls wait for one."""

_IDLE_SECONDS: Final = 55.0
_RECENT_SECONDS: Final = 4.0
"""No server in use closes a socket sooner than this without having said so; most wait five seconds or more."""
_LOOK_SECONDS: Final = 15.0
_CLOSE_SECONDS: Final = 1.0


class Pool:
    """The sockets of one address. All methods belong to the event loop it was made in.

    ``context`` says whom to trust over TLS (default: whom the machine trusts), ``sockets`` makes them where not any
    one leads there.
    """

    def __init__(
        self, address: Address, context: ssl.SSLContext | None = None, sockets: MakeSocket | None = None
    ) -> None:
        self._address = address
        self._context = context
        self._make = sockets
        self._loop = asyncio.get_running_loop()
        self._sockets: set[Socket] = set()
        self._idle: deque[Socket] = deque()  # the last one used is the last
        self._opening = 0
        self._waiting: deque[asyncio.Future[Socket | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None

    def take(self, *, recent: bool) -> Socket | None:
        """Return an idle socket, if there is one.

        ``recent``: only one that its server cannot have closed in the meantime, as far as anybody can tell: for what
        must not be sent twice.
        """
        idle = self._idle
        if not idle:
            return None
        socket = idle[-1]
        if socket.closing or self._loop.time() - socket.since >= _patience(socket, _RECENT_SECONDS if recent else None):
            return None
        return idle.pop()

    async def wait(self, *, recent: bool, bounded: bool = True) -> Socket:
        """Return an idle socket, or a new one, or (``bounded``) the first that comes free when there are too many.

        Raises :class:`TransportError` when none can be opened within ten seconds.
        """
        while True:
            socket = self.take(recent=recent)
            if socket is not None:
                return socket
            if self._closed is not None:
                raise TransportError("the connection was closed")
            if not bounded or self._opening + len(self._sockets) - len(self._idle) < MAX_SOCKETS:
                return await self.open()
            socket = await self._next()
            if socket is not None and not socket.closing:
                return socket

    async def open(self) -> Socket:
        """Return a new socket. Raises :class:`TransportError`."""
        self._opening += 1
        try:
            return await dial(self._address, lambda: Socket(self), self._context, self._make)
        except BaseException:
            self._wake(None)
            raise
        finally:
            self._opening -= 1

    async def close(self) -> None:
        """Close every socket; whoever waits for one gets a :class:`TransportError`."""
        if self._closed is None:
            self._closed = self._loop.create_future()
            if self._timer is not None:
                self._timer.cancel()
            while self._waiting:
                self._wake(None)
            for socket in tuple(self._sockets):
                socket.drop()
        if self._sockets:
            await asyncio.wait([self._closed], timeout=_CLOSE_SECONDS)

    # --- the sockets' calls --------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        """Take note of a new socket."""
        self._sockets.add(socket)
        if self._closed is not None:
            socket.drop()

    def free(self, socket: Socket) -> None:
        """Keep a socket for the next request, or hand it to whoever waits for one."""
        if self._closed is not None:
            socket.close()
        elif not (self._waiting and self._wake(socket)):
            self._idle.append(socket)
            if self._timer is None:
                self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def lost(self, socket: Socket) -> None:
        """Forget a socket."""
        self._sockets.discard(socket)
        if socket in self._idle:
            self._idle.remove(socket)
        self._wake(None)
        if self._closed is not None and not self._sockets and not self._closed.done():
            self._closed.set_result(None)

    # --- the rest ------------------------------------------------------------------------------------------------

    async def _next(self) -> Socket | None:
        waiter: asyncio.Future[Socket | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled():  # what it was woken for is somebody else's now
                socket = waiter.result()
                self.free(socket) if socket is not None else self._wake(None)
            raise

    def _wake(self, socket: Socket | None) -> bool:
        """Tell the first who waits: here is a socket, or there may be room for one."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(socket)
                return True
        return False

    def _look(self) -> None:
        """Close what has been idle for too long."""
        now = self._loop.time()
        while self._idle and now - self._idle[0].since > _patience(self._idle[0]):
            self._idle.popleft().close()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look) if self._idle else None


def _patience(socket: Socket, unless_promised: float | None = None) -> float:
    """Return for how many seconds of idleness a socket may be used again."""
    if socket.patience is not None:
        return min(socket.patience - 1, _IDLE_SECONDS)
    return _IDLE_SECONDS if unless_promised is None else unless_promised
