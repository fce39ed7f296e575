"""A server that runs elsewhere, asked over streamable HTTP: one request at a time, and no more when it says so.

Sources: specification 2026-07-28 and 2025-11-25, "Transports: Streamable HTTP". What a
:class:`~vsm_mcp.wire.http.HttpTransport` makes good (ids, sessions, streams that were cut) is what a trial looks at, so
every message is one POST of its own here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from vsm_mcp.errors import ProtocolError, Throttled, TransportError, VsmError
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.vetting.trials.interview import ANSWER_SECONDS, Interview
from vsm_mcp.wire import era as eras
from vsm_mcp.wire import header
from vsm_mcp.wire.address import read_address
from vsm_mcp.wire.exchange import EVENTS, JSON, Exchange, content_type
from vsm_mcp.wire.http11 import Fields
from vsm_mcp.wire.site import Site
from vsm_mcp.wire.sse import SseReader
from vsm_mcp.wire.transport import Head

_LEAVE_SECONDS: Final = 2.0


async def interview(spec: ServerSpec, era: str) -> Interview:
    """Return the way to speak to a server that has an address; nothing is said yet. Raises :class:`TransportError`."""
    talk = Interview(Posts(spec, era), era)
    await talk.open()
    return talk


class Posts:
    """One session with a server: a carrier. An answer may be as large as one of a served server."""

    peak_memory: int | None = None

    def __init__(self, spec: ServerSpec, era: str) -> None:
        if spec.url is None:
            raise TransportError(f"{spec.name} has no address")
        self.barred = ""
        self._modern = era == "modern"
        self._limit = spec.max_message
        self._site = Site(read_address(spec.url, {"http", "https"}), spec.headers, None, spec.authorizer)
        self._session = self._version = b""
        self._waiting: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None

    async def open(
        self, take: Callable[[bytes], bool], nothing: Callable[[Any, str], None], _over: Callable[[], None]
    ) -> None:
        """Begin to send."""
        self._take, self._nothing = take, nothing
        self._sending = asyncio.get_running_loop().create_task(self._send_all(), name="trial of an address")

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message once all before it were sent and answered, or given up."""
        self._waiting.put_nowait(message)

    def write(self, _line: bytes) -> None:
        """Do nothing: over HTTP there are no lines."""

    async def end(self, _grace: float) -> None:
        """Take leave: end the session, close the sockets."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        if self._session:
            with contextlib.suppress(VsmError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._site.perform(Exchange("DELETE", self._session + self._version))
        await self._site.close()

    # --- one message after the other -----------------------------------------------------------------------------

    async def _send_all(self) -> None:
        while True:
            message = await self._waiting.get()
            how = self.barred or await self._sent(message)
            if "method" in message and "id" in message:
                self._nothing(message["id"], how)  # does nothing where its answer was taken

    async def _sent(self, message: Mapping[str, Any]) -> str:
        """POST a message; return what came back where that was no message."""
        post = _Posted(self._lines(message), json.dumps(message).encode(), self._take, self._limit)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._site.perform(post)
        except TimeoutError:
            return f"it did not answer within {ANSWER_SECONDS:g} s"
        except Throttled as error:
            self.barred = error.message
            return error.message
        except VsmError as error:
            return error.message
        if message.get("method") == "initialize":
            self._begun(post)
        return f"it answered with status {post.status} and no message"

    def _lines(self, message: Mapping[str, Any]) -> bytes:
        method, params = str(message.get("method", "")), message.get("params") or {}
        name = params.get(eras.NAMED_BY.get(method, ""))
        said = (params.get("_meta") or {}).get(eras.META_PROTOCOL) if self._modern else None
        kind = "request" if "id" in message else "notification"
        head = Head(
            kind=kind,  # type: ignore[arg-type] # one of the two
            method=method,
            name=name if isinstance(name, str) else None,
            version=said if isinstance(said, str) else None,
            modern=self._modern,
        )
        return self._session + self._version + header.of_message(head)

    def _begun(self, post: _Posted) -> None:
        self._session = b"Mcp-Session-Id: %b\r\n" % post.session if post.session else b""
        if version := post.version:
            self._version = b"MCP-Protocol-Version: %b\r\n" % version.encode("ascii", "ignore")


class _Posted(Exchange):
    """One POST. Every message in its answer, of whatever status, is taken; the first that answers ends it."""

    __slots__ = ("_kept", "_limit", "_parts", "_reader", "_size", "_take", "session", "status", "version")

    def __init__(self, lines: bytes, body: bytes, take: Callable[[bytes], bool], limit: int) -> None:
        super().__init__("POST", lines, body, repeatable=False)
        self.status = 0
        self.session = b""
        self.version = ""
        self._take = take
        self._limit = limit
        self._reader: SseReader | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def begun(self, status: int, fields: Fields) -> None:
        """Decide by the head what to do with the body."""
        self.status, self.session = status, fields.get(b"mcp-session-id", b"")
        kind = content_type(fields)
        if 300 <= status < 400 or status in header.STATUS_DECIDES:
            self.leave(self.refusal(status, fields))
        elif kind == EVENTS:
            self._reader = SseReader(self._limit)
        elif kind != JSON:
            self.leave(None)

    def data(self, chunk: bytes) -> None:
        """Take the messages of a stream as they come; keep a part of a document."""
        if self._reader is None:
            self._parts.append(chunk)
            self._size += len(chunk)
            if self._size > self._limit:
                self.reject(ProtocolError(f"it sent an answer of more than {self._limit} bytes"))
            return
        try:
            for message in self._reader.feed(chunk):
                if self._taken(message):
                    self.leave(None)
                    return
        except ProtocolError as error:
            self.reject(error)

    def ended(self) -> None:
        """Take the document, if it is one."""
        if self._parts:
            self._taken(b"".join(self._parts))
        self.finish(None)

    def _taken(self, message: bytes) -> bool:
        if not self.version and b"protocolVersion" in message:
            self.version = _version_in(message)
        return self._take(message)


def _version_in(message: bytes) -> str:
    try:
        result = json.loads(message).get("result")
    except (ValueError, RecursionError, AttributeError):
        return ""
    version = result.get("protocolVersion") if isinstance(result, dict) else None
    return version if version in eras.HANDSHAKE else ""
