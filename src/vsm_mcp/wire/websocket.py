"""MCP over a WebSocket: one message a text frame, subprotocol ``mcp``.

A custom transport in the sense of the specification (2026-07-28, "Transports: Custom Transports"), framed as version 1
of the SDKs framed it (``mcp.client.websocket``, ``WebSocketClientTransport``). aiohttp does the work; it is imported
when the first such server is opened.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from vsm_mcp.errors import HttpRefused, ProtocolError, TransportError
from vsm_mcp.wire import header, tls
from vsm_mcp.wire.address import read_address
from vsm_mcp.wire.dial import unreachable
from vsm_mcp.wire.lines import SHARE, TURN_SECONDS
from vsm_mcp.wire.site import header_lines
from vsm_mcp.wire.tasks import Tasks
from vsm_mcp.wire.transport import Deliver, Done, Head, Lost, Target, unsent

if TYPE_CHECKING:
    import aiohttp

_OPEN_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 1.0
_PING_SECONDS: Final = 30.0
_TOO_BIG: Final = 1009
"""RFC 6455, section 7.4.1."""


class WebSocketTransport:
    """A server at ``ws(s)://HOST/PATH``."""

    kind = "websocket"
    only_era: str | None = None
    closing_cancels = False

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tasks = Tasks()
        self._session: aiohttp.ClientSession | None = None
        self._socket: Any = None
        self._lost: Lost | None = None

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Connect and agree on the subprotocol.

        Raises :class:`TransportError` for an unusable URL and when nothing answers there, :class:`HttpRefused` when
        what answers wants no WebSocket.
        """
        import aiohttp  # noqa: PLC0415 - a quarter of a second, for the few who use it

        address = read_address(self._target.url, {"ws", "wss"})
        header_lines(self._target.headers)  # they must be as HTTP wants them
        self._place = address.origin
        context = (self._target.context or await tls.context()) if address.secure else None
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(self._redirected)
        made = None if self._target.sockets is None else await self._target.sockets()
        # The host is an address then, so one socket is all that is asked for.
        connector = None if made is None else aiohttp.TCPConnector(socket_factory=lambda _place: made)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[tracing]
        )
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                self._socket = await self._session.ws_connect(
                    self._target.url,
                    protocols=("mcp",),
                    headers=self._target.headers,
                    heartbeat=_PING_SECONDS,
                    max_msg_size=self._target.max_message,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                    ssl=context or True,
                    decode_text=False,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise header.refusal(error.status, "", self._place) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise unreachable(self._place, _cause(error)) from error
        self._texts = {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}
        self._text, self._broken = aiohttp.WSMsgType.TEXT, (aiohttp.ClientError, OSError)
        self._lost = lost
        self._tasks.spawn(self._hear(deliver))

    def try_send(self, data: bytes) -> bool:
        """Do nothing: aiohttp writes in a coroutine."""
        return False

    def begin(self, data: bytes, head: Head, done: Done) -> None:
        """Do nothing: answers come when they come."""

    async def send(self, data: bytes, head: Head) -> None:
        """Write a message; waits while the server does not read. Raises :class:`TransportError` when it is gone."""
        if self._lost is None:
            raise unsent(TransportError("the connection to the server is closed"))
        try:
            await self._socket.send_frame(data, self._text)
        except self._broken as error:
            raise TransportError("the connection to the server is closed") from error

    async def close(self) -> None:
        """Say good-bye, which the server has a second to return. Idempotent."""
        self._ended("the connection was closed")
        await self._tasks.end()
        session, self._session = self._session, None
        if session is not None:
            if self._socket is not None:
                await self._socket.close()
            await session.close()

    async def _hear(self, deliver: Deliver) -> None:
        """Take messages; those that nobody waited for get a share of the loop's time and no more, as lines do."""
        spent = 0.0
        while True:
            asked = time.perf_counter()
            message = await self._socket.receive()
            if message.type not in self._texts:
                break
            began = time.perf_counter()
            if began - asked > TURN_SECONDS:  # it came by itself, not out of a heap of them
                spent = 0.0
            if not _taken(deliver, message.data):
                spent += time.perf_counter() - began
            if spent > TURN_SECONDS:
                await asyncio.sleep(spent / SHARE - spent)
                spent = 0.0
        code = self._socket.close_code
        if code == _TOO_BIG and isinstance(message.data, Exception):
            self._ended(f"the server sent a message of more than {self._target.max_message} bytes")
        else:
            self._ended(f"the server closed the connection ({code})")

    async def _redirected(self, _session: object, _context: object, _params: object) -> None:
        """Refuse to follow: headers hold secrets."""
        raise HttpRefused(307, f"{self._place} redirects elsewhere", "use the URL it redirects to")

    def _ended(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)


def _taken(deliver: Deliver, data: bytes) -> bool:
    """Deliver a message; return whether somebody had waited for it."""
    try:
        return deliver(data, None)
    except ProtocolError:  # one bad message does not end a conversation
        return False


def _cause(error: BaseException) -> BaseException:
    """Find the operating system's error in aiohttp's."""
    return getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
