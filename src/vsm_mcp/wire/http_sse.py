"""MCP over HTTP+SSE, the remote transport of 2024-11-05: a GET opens a stream, messages are POSTed beside it.

Source: specification 2024-11-05, "Transports: HTTP with SSE". The first event of the stream, ``endpoint``, names
where messages are POSTed; all that the server says, answers as well, comes on the stream. When that ends, so does the
conversation. Deprecated since 2025-03-26, and still what many servers speak; none of them knows the modern era.
"""

from __future__ import annotations

import asyncio
from typing import Final

from vsm_mcp.errors import HttpRefused, ProtocolError, TransportError, VsmError
from vsm_mcp.wire.address import read_address
from vsm_mcp.wire.exchange import Events, Exchange, Stream
from vsm_mcp.wire.post import ANSWERS_ONCE
from vsm_mcp.wire.site import Site
from vsm_mcp.wire.sse import SseReader
from vsm_mcp.wire.tasks import Tasks
from vsm_mcp.wire.transport import Deliver, Done, Head, Lost, Target, unsent

_OPEN_SECONDS: Final = 10.0


class HttpSseTransport:
    """One server at the URL of its stream."""

    kind = "http+sse"
    only_era: str | None = "legacy"
    closing_cancels = False

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tasks = Tasks()
        self._lost: Lost | None = None
        self._opened = False

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Open the stream and learn where messages go.

        Raises :class:`HttpRefused` when there is no stream at the URL, or none that says within ten seconds where
        messages go; :class:`TransportError` when it names another origin than its own.
        """
        target = self._target
        address = read_address(target.url, {"http", "https"})
        self._site = Site(address, target.headers, target.context, target.authorizer, target.sockets)
        self._named: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._lost = lost
        self._opened = True
        events = Events(SseReader(self._target.max_message, self._other), None, deliver)
        self._tasks.spawn(self._hear(Stream(b"Cache-Control: no-cache\r\n", events)))
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                self._endpoint = self._here(await self._named)
        except TimeoutError:
            what = f"{self._site.place} opens a stream, but does not say where messages are to be sent"
            raise HttpRefused(200, what, "is this the URL of an MCP endpoint?") from None

    def try_send(self, data: bytes) -> bool:
        """Do nothing: a message over HTTP is acknowledged."""
        return False

    def begin(self, data: bytes, head: Head, done: Done) -> None:
        """Do nothing: answers come when they come."""

    async def send(self, data: bytes, head: Head) -> None:
        """POST a message; its answer comes on the stream. Raises what :class:`HttpTransport` raises for a refusal."""
        if self._lost is None:
            raise unsent(TransportError("the connection to the server is closed"))
        post = Exchange("POST", b"", data, repeatable=head.method != ANSWERS_ONCE)
        post.target = self._endpoint
        await self._site.perform(post, bounded=head.kind == "request")

    async def close(self) -> None:
        """Let go of the stream, which ends the conversation. Idempotent."""
        self._ended("the connection was closed")
        if self._opened:
            await self._tasks.end()
            await self._site.close()

    def _other(self, event: bytes, data: bytes) -> None:
        if event == b"endpoint" and not self._named.done():
            self._named.set_result(data.decode(errors="replace"))

    def _here(self, location: str) -> str:
        """Return the target of the endpoint, which must be on the stream's own origin: headers hold secrets."""
        there = self._site.address.joined(location)
        if there.origin != self._site.place:
            raise TransportError(
                f"{self._site.place} wants messages sent to {there.origin}", "a server may name its own origin only"
            )
        return there.target

    async def _hear(self, stream: Stream) -> None:
        trouble: VsmError
        try:
            await self._site.perform(stream, bounded=False)
            trouble = TransportError(f"{self._site.place} ended its stream of events")
        except (TransportError, ProtocolError) as error:
            trouble = error
        if not self._named.done():
            self._named.set_exception(trouble)
        self._ended(trouble.message)

    def _ended(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)
