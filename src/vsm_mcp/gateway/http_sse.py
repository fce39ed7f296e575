"""The pair of endpoints of 2024-11-05: a stream of events by GET, and messages by POST beside it.

Specification 2024-11-05, "Transports: HTTP with SSE": the stream's first event names where to POST; every answer comes
on the stream. Deprecated since 2025-03-26; here for clients that know nothing else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import Final
from urllib.parse import parse_qs

from vsm_mcp.gateway import sse
from vsm_mcp.gateway.asgi import Receive, Scope, Send, respond, until_disconnected
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.peer import Peer
from vsm_mcp.gateway.refusals import Refusal, overloaded, too_many
from vsm_mcp.gateway.view import View
from vsm_mcp.model.principal import LOCAL, Principal

STREAM: Final = "/sse"
MESSAGES: Final = "/messages"
_MAX_CALLS: Final = 256
_MUCH_WAITING: Final = 1024 * 1024
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024


class _Stream:
    """One client's stream: what waits to be written, and who answers. It ends a client that does not read."""

    def __init__(self, gateway: Gateway, view: View, principal: Principal) -> None:
        self.ident = secrets.token_hex(16)
        self.principal = principal
        self.peer = Peer(gateway, view, self, principal=principal)
        self._silence = gateway.limits.keep_alive_seconds
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False

    def notify(self, message: bytes) -> None:
        """Write one message soon, unless the client does not read."""
        if self._room.is_set():
            self.put(message)

    async def drained(self) -> None:
        """Wait while the client does not read."""
        await self._room.wait()

    def put(self, message: bytes) -> None:
        """Write one message soon."""
        self._size += len(message)
        if self._size > _MAX_WAITING_BYTES:
            return self.end()
        if self._size > _MUCH_WAITING:
            self._room.clear()
        self._waiting.append(sse.event(message))
        return self._wake.set()

    def end(self) -> None:
        """Write nothing more."""
        self._ended = True
        self._wake.set()

    async def run(self, receive: Receive, send: Send) -> None:
        """Write until the client has gone."""
        gone = asyncio.get_running_loop().create_task(until_disconnected(receive))
        gone.add_done_callback(lambda _task: self.end())
        try:
            await sse.begin(send)
            await sse.write(send, b"event: endpoint\r\ndata: %b?session=%b\r\n\r\n" % _where(self.ident))
            while not self._ended:
                await sse.write(send, await self._next())
        finally:
            gone.cancel()
            await self.peer.close()

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._silence):
                await self._wake.wait()
        except TimeoutError:
            return sse.PING
        self._wake.clear()
        self._room.set()
        self._size = 0
        waiting, self._waiting = self._waiting, deque()
        return b"".join(waiting) or sse.PING


class OldPair:
    """The streams that are open, at most ``limit``."""

    def __init__(self, gateway: Gateway, limit: int) -> None:
        self._gateway = gateway
        self._limit = limit
        self._streams: dict[str, _Stream] = {}

    async def stream(self, view: View, receive: Receive, send: Send, principal: Principal = LOCAL) -> None:
        """Serve one client's stream until it leaves."""
        if len(self._streams) >= self._limit:
            raise overloaded("too many streams are open")
        stream = _Stream(self._gateway, view, principal)
        self._streams[stream.ident] = stream
        try:
            await stream.run(receive, send)
        finally:
            del self._streams[stream.ident]

    def find(self, scope: Scope, principal: Principal = LOCAL) -> Peer:
        """Return who takes the messages of the stream that a POST names; raises :class:`Refusal` (404, 429, 503).

        A stream belongs to the principal that opened it.
        """
        named = parse_qs(scope["query_string"].decode("latin-1")).get("session", [""])[0]
        stream = self._streams.get(named)
        if stream is None or stream.principal.name != principal.name:
            raise Refusal(404, f"there is no such stream: GET {STREAM} opens one")
        most = principal.grant.concurrency
        if most and self._calls(principal.name) >= most:
            raise too_many(f"{principal.name} may have {most} requests open at a time", 1.0)
        if len(stream.peer) >= _MAX_CALLS:
            raise overloaded("too many calls of this client are open")
        return stream.peer

    def _calls(self, name: str) -> int:
        return sum(len(stream.peer) for stream in self._streams.values() if stream.principal.name == name)

    async def take(self, peer: Peer, body: bytes, send: Send) -> None:
        """Take one message; its answer comes on the stream."""
        peer.take(body)
        await respond(send, 202)


def _where(ident: str) -> tuple[bytes, bytes]:
    return MESSAGES.encode(), ident.encode()
