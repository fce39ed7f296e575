"""A line over streamable HTTP: one connection that is kept, one request on it at a time."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections import deque
from typing import Final, cast
from urllib.parse import urlsplit

import httptools
import msgspec

from vsm_mcp.bench.conversation import Listener
from vsm_mcp.errors import BadArgument, ProtocolError, TransportError
from vsm_mcp.wire.sse import SseReader

LARGEST: Final = 64 * 1024 * 1024
_WORD: Final = re.compile(r"[\x21-\x7e]+")
_now = time.perf_counter


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint is: ``target`` is what a request line names, ``bearer`` a key or ``""``."""

    host: str
    port: int
    target: str
    tls: bool = False
    bearer: str = ""

    def __repr__(self) -> str:
        return f"Place({self.host}:{self.port}{self.target})"

    @property
    def url(self) -> str:
        """Return it as a URL."""
        named = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{named}:{self.port}{self.target}"

    @classmethod
    def of(cls, url: str, bearer: str = "") -> Place:
        """Read a URL. Raises :class:`BadArgument`."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
                raise ValueError
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            if not _WORD.fullmatch(parts.hostname + target + bearer):
                raise ValueError
        except ValueError as error:
            raise BadArgument(f"{url!r} is no URL of an endpoint", "write http://HOST:PORT/mcp") from error
        return cls(host=parts.hostname, port=port, target=target, tls=parts.scheme == "https", bearer=bearer)


class HttpLine(asyncio.Protocol):
    """See :class:`~vsm_mcp.bench.conversation.Line`. Answers may be documents or streams of events."""

    def __init__(self, place: Place, listener: Listener) -> None:
        self.closed = False
        self._listener = listener
        self._place = place
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: deque[bytes] = deque()
        self._busy = False
        self._version = self._session = ""
        self._head = self._tail = b""
        self._moment = 0.0
        self._begin()
        self._write_head()

    @classmethod
    async def to(cls, place: Place, listener: Listener) -> HttpLine:
        """Connect. Raises :class:`TransportError`."""
        secure = ssl.create_default_context() if place.tls else None
        try:
            _, line = await asyncio.get_running_loop().create_connection(
                lambda: cls(place, listener), place.host, place.port, ssl=secure
            )
        except OSError as error:
            raise TransportError(f"{place.host}:{place.port} cannot be reached: {error}", "does it run?") from error
        return line

    def send(self, message: bytes) -> None:
        """Send one message, once what was sent before it has been answered."""
        if self.closed or self._transport is None:
            self._listener.broken("the connection was closed")
        elif self._busy:
            self._waiting.append(message)
        else:
            self._busy = True
            self._transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(message), message))

    def agree(self, version: str) -> None:
        """Say version and session from now on."""
        self._version = version
        self._write_head()

    def close(self) -> None:
        """End the session and close the connection; what the server says to that is not waited for."""
        if self._transport is not None and not self.closed:
            if self._session and not self._busy:
                self._transport.write(b"DELETE" + self._tail + b"\r\n")
            self._transport.close()
        self.closed = True

    # --- the connection ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small requests at once."""
        self._transport = cast("asyncio.Transport", transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Read on; a response may come in many pieces."""
        self._moment = _now()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:  # a fault of ours is no fault of the server's
            raise
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        """Say that nothing more will come."""
        if not self.closed:
            self._fail(f"the connection was closed{f': {error}' if error else ''}")

    def _fail(self, why: str) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        self._listener.broken(why)

    # --- one response, as httptools reads it ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a response."""
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note what matters of a response."""
        name = name.lower()
        if name == b"content-type":
            self._events = value.lower().startswith(b"text/event-stream")
        elif name == b"mcp-session-id":
            self._session = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Keep a piece."""
        self._parts.append(body)
        self._size += len(body)
        if self._size > LARGEST:
            self._fail(f"a response of more than {LARGEST} bytes")

    def on_message_complete(self) -> None:
        """Hand on what the response says, then send what waits."""
        status, body = self._parser.get_status_code(), b"".join(self._parts)
        self._busy = False
        if 200 <= status < 300:
            self._hand_on(body)
        else:
            self._listener.refused(f"HTTP {status} {body[:100].decode('utf-8', 'replace')}", self._moment)
        if self._busy:
            return
        if self._waiting:
            self.send(self._waiting.popleft())
        else:
            self._listener.broken(f"the response held no answer: {body[:80]!r}")

    def _hand_on(self, body: bytes) -> None:
        try:
            messages = SseReader(LARGEST).feed(body) if self._events else [body]
        except ProtocolError as error:
            self._fail(error.message)
            return
        for message in filter(None, messages):
            self._listener.received(message, self._moment)

    def _begin(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._events = False

    def _write_head(self) -> None:
        place = self._place
        lines = [f" {place.target} HTTP/1.1", f"Host: {urlsplit(place.url).netloc}"]
        lines += [f"Authorization: Bearer {place.bearer}"] if place.bearer else []
        lines += [f"Mcp-Session-Id: {self._session}"] if self._session else []
        lines += [f"MCP-Protocol-Version: {self._version}"] if self._version else []
        self._tail = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        form = b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: "
        self._head = b"POST" + self._tail + form
