"""The session of an older server over HTTP: its id, its revival, and the stream for what the server says unasked.

Source: specification 2025-11-25, "Transports: Streamable HTTP" ("Session Management", "Listening for Messages from the
Server").
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from vsm_mcp.errors import HttpRefused, ProtocolError, TransportError
from vsm_mcp.wire import envelope
from vsm_mcp.wire.exchange import Events, Exchange, Stream
from vsm_mcp.wire.site import Site
from vsm_mcp.wire.sse import SseReader
from vsm_mcp.wire.tasks import Tasks
from vsm_mcp.wire.transport import Deliver, Head, Lost

MAX_RETRY_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 2.0
_HEAR_SECONDS: Final = 1.0
_FORGOTTEN: Final = "the server forgot the session and did not begin a new one"

Ask = Callable[[bytes, Head, Deliver], Awaitable[None]]
"""Sends one message once, in the session as it is, and delivers its answer."""


class Session:
    """What a server of the handshake era keeps for us; in the modern era it stays empty.

    ``id`` names it (empty: the server gave no name), ``lines`` are the header lines that say so. An event on the
    stream may be ``limit`` bytes long.
    """

    def __init__(self, site: Site, ask: Ask, lost: Lost, limit: int) -> None:
        self.id = self.lines = b""
        self._site = site
        self._ask = ask
        self._lost = lost
        self._limit = limit
        self._version = b""
        self._hello: list[tuple[bytes, Head]] = []
        self._reviving: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    @property
    def reviving(self) -> bool:
        """Whether it is being begun again: nothing can be sent in it meanwhile."""
        return self._reviving is not None and not self._reviving.done()

    def greet(self, data: bytes, head: Head) -> None:
        """Take note of the ``initialize`` that is about to begin it."""
        self._hello = [(data, head)]
        self._forget()

    def opened(self, ident: bytes) -> None:
        """Take note of the id in the answer to ``initialize``."""
        self.id = ident
        self.lines = b"Mcp-Session-Id: %b\r\n" % ident if ident else b""

    async def agreed(self, data: bytes, head: Head, deliver: Deliver) -> None:
        """Take note of ``notifications/initialized``; from now on hear what the server says unasked."""
        self._hello.append((data, head))
        self._version = b"MCP-Protocol-Version: %b\r\n" % head.version.encode() if head.version else b""
        await self._hear(deliver)

    async def settled(self) -> None:
        """Wait while it is being begun again."""
        if self._reviving is not None and not self._reviving.done():
            await asyncio.shield(self._reviving)

    async def revive(self, known: bytes, deliver: Deliver) -> None:
        """Begin a new session in place of ``known``, once for all calls that found it gone.

        "When a client receives HTTP 404 in response to a request containing an MCP-Session-Id, it MUST start a new
        session by sending a new InitializeRequest." Raises :class:`TransportError` when the server does not take it.
        """
        if self._reviving is None or self._reviving.done():
            if self.id != known:
                return
            self._reviving = self._tasks.spawn(self._begin_again(deliver))
        await asyncio.shield(self._reviving)

    async def stream(self, events: Events, opened: Callable[[], None] | None = None) -> None:
        """Take in a stream of events, resumed where ``events`` were cut, until it brings a response.

        ``opened`` is called when the server has granted it.
        Raises :class:`Cut` when it ends before, :class:`HttpRefused` when the server offers none, and other errors of
        the tree.
        """
        events.reader.restart()
        last = events.reader.last_id
        resumed = f"Last-Event-ID: {last}\r\n".encode() if last else b""
        await self._site.perform(Stream(self.lines + self._version + resumed, events, opened), bounded=False)

    async def close(self) -> None:
        """End it at the server (best effort, two seconds)."""
        await self._tasks.end()
        if self.id:
            leaving = Exchange("DELETE", self.lines + self._version)
            with contextlib.suppress(TransportError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._site.perform(leaving, bounded=False)

    def _forget(self) -> None:
        self.id = self.lines = self._version = b""

    async def _begin_again(self, deliver: Deliver) -> None:
        self._forget()
        try:
            for data, head in self._hello:
                await self._ask(data, head, _accept_result)
        except (TransportError, ProtocolError) as error:
            self._lost(_FORGOTTEN)
            raise TransportError(_FORGOTTEN) from error
        await self._hear(deliver)

    async def _hear(self, deliver: Deliver) -> None:
        """Listen to what the server says unasked; most servers offer no such stream.

        Returns when the server has answered, or soon: what it asks on that stream in the middle of the first call would
        be lost before.
        """
        if self._hearing is not None:
            self._hearing.cancel()
        answered = asyncio.Event()
        self._hearing = self._tasks.spawn(self._hear_on(Events(SseReader(self._limit), None, deliver), answered))
        self._hearing.add_done_callback(lambda _: answered.set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEAR_SECONDS):
                await answered.wait()

    async def _hear_on(self, events: Events, answered: asyncio.Event) -> None:
        delay, reader, clock = 1.0, events.reader, asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self.stream(events, answered.set)
            except HttpRefused:
                return
            except (TransportError, ProtocolError):
                answered.set()  # with a failure; the next attempt may find it mended
            delay = 1.0 if clock() - began > MAX_RETRY_SECONDS else min(delay * 2, MAX_RETRY_SECONDS)
            await asyncio.sleep(max(delay, min(reader.retry or 0.0, MAX_RETRY_SECONDS)))


def _accept_result(data: bytes, _about: int | None) -> bool:
    return envelope.read(data).result is not None
