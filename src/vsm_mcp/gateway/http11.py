"""HTTP/1.1 on one socket: httptools parses, an ASGI application answers in the order of the requests (RFC 9112).

Everything is bounded: the size of a head, the time it may take, requests sent ahead, bytes of a body read ahead, how
long a connection may be silent or its client may not read. Between requests nothing runs but one timer for all.
Why this is not a server from the shelf: ``docs/adr/0006-our-own-http-front.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import httptools

from vsm_mcp.gateway.asgi import TUNNEL, App
from vsm_mcp.gateway.head import Head, Known, known
from vsm_mcp.gateway.opened import Open
from vsm_mcp.gateway.tunnel import Tunnel
from vsm_mcp.gateway.turn import Turn

_MAX_HEAD: Final = 64 * 1024
_MAX_FIELDS: Final = 128
_MAX_AHEAD: Final = 32
_MAX_UNREAD: Final = 256 * 1024
_PATIENCE_SECONDS: Final = 0.25
_LINGER_SECONDS: Final = 1.0
_COMMON: Final = (
    b"Accept", b"Accept-Encoding", b"Authorization", b"Connection", b"Content-Length", b"Content-Type", b"Host",
    b"MCP-Protocol-Version", b"Mcp-Method", b"Mcp-Name", b"Mcp-Session-Id", b"User-Agent",
)  # fmt: skip
_NAMES: Final = {name: name.lower() for name in _COMMON} | {name.lower(): name.lower() for name in _COMMON}
"""Names that every request carries: of each there is one, however many heads are kept."""
_OFFER: Final = frozenset({b"upgrade", b"connection", b"http2-settings"})
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_FAILED: Final = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

log = logging.getLogger(__name__)


class _HeadTooLarge(Exception):
    pass


class Connection(asyncio.Protocol):
    """One client's connection. Thousands may be silent at a time, so it holds little: a parser only while it parses."""

    __slots__ = (
        "__weakref__", "_app", "_arriving", "_deaf", "_fields", "_full", "_full_since", "_head_since", "_head_size",
        "_known", "_late", "_loop", "_mute", "_opened", "_parser", "_patience", "_paused", "_quick", "_refusal",
        "_since", "_takes", "_transport", "_tunnel", "_turns", "_unread", "_url", "peer",
    )  # fmt: skip

    def __init__(self, app: App, opened: Open) -> None:
        self._app = app
        self._quick: Callable[[Turn], bool] | None = getattr(app, "quick", None)
        self._takes: Callable[[str], bool] | None = getattr(app, "upgrades", None)
        self._tunnel: Tunnel | None = None
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self.peer: tuple[str, int] | None = None
        self._parser: Any = None
        self._turns: list[Turn] = []  # the first is being answered
        self._arriving: Turn | None = None  # the one whose body is still to come
        self._url = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._mute = 0  # bytes since the parser found anything: those of a field, whose end it waits for
        self._head_since = 0.0
        self._since = 0.0
        self._unread = 0
        self._deaf = False
        self._known: Known | None = None
        self._refusal = b""
        self._paused = False
        self._late: Turn | None = None  # the one whose body was waited for long enough
        self._patience: asyncio.TimerHandle | None = None
        self._full: asyncio.Future[None] | None = None
        self._full_since = 0.0

    # --- asyncio's calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        name = transport.get_extra_info("peername")
        self.peer = (name[0], name[1]) if isinstance(name, tuple) else None
        self._opened.enter(self)
        self._since = self._loop.time()

    def connection_lost(self, _exc: Exception | None) -> None:
        """End: whoever still answers learns that the client has gone."""
        self._opened.exit(self)
        if self._patience is not None:
            self._patience.cancel()
        self._deaf = True
        self.resume_writing()
        for turn in tuple(self._turns):
            turn.lost()
        if self._tunnel is not None:
            self._tunnel.lost()
        self._parser = None  # it knows us: a circle, which only the garbage collector could undo

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; start answering once a head is complete."""
        if self._deaf:
            return None
        self._since = self._loop.time()
        if self._tunnel is not None:
            return self._tunnel.feed(data)
        known = self._known
        if self._parser is None and known is not None and len(data) == known.size and data.startswith(known.raw):
            self._take_again(known.head, data[len(known.raw) :])
        else:
            self._read(data)
        return self._advance()

    def pause_writing(self) -> None:
        """The client does not read."""
        if self._full is None:
            self._full = self._loop.create_future()
            self._full_since = self._loop.time()

    def resume_writing(self) -> None:
        """The client reads again."""
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)
        if self._turns and not self._transport.is_closing():
            self._advance()

    # --- reading -------------------------------------------------------------------------------------------------

    @property
    def _between(self) -> bool:
        """Whether the parser waits for the first byte of a request."""
        return self._arriving is None and not self._head_since and not self._mute

    def _take_again(self, head: Head, body: bytes) -> None:
        """Take a request that begins with the very bytes of the last one: its head says the same, and is not parsed."""
        self._unread += len(body)
        self._turns.append(Turn(self, head, body))

    def _read(self, data: bytes) -> None:
        begins, turns = self._between, len(self._turns)
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        self._mute += len(data)
        left: bytes | memoryview = data
        try:
            while left:
                left = self._parse(left)
        except httptools.HttpParserError as error:
            self._refuse(_TOO_LARGE if isinstance(error.__context__, _HeadTooLarge) else _BAD)
        else:
            if self._mute > _MAX_HEAD:
                self._refuse(_TOO_LARGE)
            elif self._between:
                self._parser = None  # it knows us: a circle, which only the garbage collector could undo
                if begins and len(self._turns) == turns + 1:
                    self._known = known(data, self._turns[-1].head)

    # --- the parser's calls --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._fields, self._head_size, self._head_since = b"", [], 0, self._since
        self._mute = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url
        self._head_size += len(url)
        if self._head_size > _MAX_HEAD:
            raise _HeadTooLarge

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """One field of the head (or of a trailer, which is dropped).

        White space around a value is no part of it (RFC 9110, section 5.5); the parser leaves what follows.
        """
        self._mute = 0
        if self._arriving is not None:
            return
        fields, value = self._fields, value or b""
        fields.append((_NAMES.get(name) or name.lower(), value.strip(b" \t")))
        self._head_size += len(name) + len(value)
        if self._head_size > _MAX_HEAD or len(fields) > _MAX_FIELDS:
            raise _HeadTooLarge

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_since = 0.0
        parser, method = self._parser, self._parser.get_method().decode("latin-1")
        keep, modern = parser.should_keep_alive(), parser.get_http_version() == "1.1"
        turn = Turn(self, Head(method, self._url, self._fields, keep=keep, modern=modern))
        self._turns.append(turn)
        self._arriving = turn

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._mute = 0
        if self._arriving is not None and self._arriving.feed(data):
            self._unread += len(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        arrived, self._arriving = self._arriving, None
        if arrived is not None:
            arrived.complete_now()

    def _parse(self, data: bytes | memoryview) -> bytes | memoryview:
        """Parse; return what is left to be parsed where another protocol was offered in between."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            rest = memoryview(data)[offer.args[0] :]
            return rest if not self._taken_up(rest) and self._declined() else b""
        return b""

    def _taken_up(self, rest: memoryview) -> bool:
        """Take an offer of WebSocket, where the application wants it: its answer decides (RFC 6455, section 4.2)."""
        turn = self._turns[-1]
        offered = turn.complete and turn.head.method == "GET" and turn.head.fields.get(b"upgrade", b"").lower()
        if offered != b"websocket" or self._takes is None or not self._takes(turn.head.path):
            return False
        turn.keep = False
        self._tunnel = turn.scope[TUNNEL] = Tunnel(self, turn, self.abort, bytes(rest))
        return True

    def _declined(self) -> bool:
        """Read the request again without its offer of another protocol (RFC 9110, section 7.8)."""
        turn = self._turns[-1]
        if turn.head.method == "CONNECT":  # what follows would be a tunnel
            self._deaf, turn.keep = True, False
            return False
        self._turns.pop()
        self._parser = httptools.HttpRequestParser(self)
        fields = b"".join(b"%b: %b\r\n" % field for field in self._fields if field[0] not in _OFFER)
        self._parser.feed_data(b"%b %b HTTP/1.1\r\n%b\r\n" % (turn.head.method.encode(), self._url, fields))
        return True

    def _refuse(self, refusal: bytes) -> None:
        """Take nothing more, and say why once everything before is answered."""
        self._deaf, self._refusal = True, refusal
        if self._arriving is not None:
            self._arriving.lost()

    # --- the turns' calls ----------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write to the client."""
        self._transport.write(data)

    def write_both(self, head: bytes, body: bytes) -> None:
        """Write a head and a large body at once, without copying it."""
        self._transport.writelines((head, body))

    @property
    def clogged(self) -> bool:
        """Whether the client does not read."""
        return self._full is not None

    async def drained(self) -> None:
        """Wait while the client does not read."""
        if self._full is not None:
            await asyncio.shield(self._full)

    def taken(self, size: int) -> None:
        """Read on once enough of a body was taken."""
        self._unread -= size
        self._flow()

    # --- answering -----------------------------------------------------------------------------------------------

    def shut(self) -> None:
        """Take no further request; close once what is being answered is answered."""
        if not self._turns:
            self._transport.close()
            return
        for turn in self._turns:
            turn.keep = False

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _advance(self) -> None:
        if self._turns:
            first = self._turns[0]
            if not first.started and self._full is None and (first.complete or not self._waits(first)):
                first.begin()
                if not first.complete or not self._quickly(first):
                    task = self._loop.create_task(self._answer(first))
                    self._opened.tasks.add(task)
                    task.add_done_callback(self._opened.tasks.discard)
            self._flow()
        elif self._refusal:
            self.write(self._refusal)
            self._linger()

    def _waits(self, turn: Turn) -> bool:
        """Whether a request had better wait for the rest of its body: then it may take the short way."""
        if self._quick is None or turn is self._late or self._arriving is not turn:
            return False
        if not _small(turn.head):
            return False
        if self._patience is None:
            self._patience = self._loop.call_later(_PATIENCE_SECONDS, self._wait_no_longer, turn)
        return True

    def _wait_no_longer(self, turn: Turn) -> None:
        self._late, self._patience = turn, None
        if self._turns and not self._transport.is_closing():
            self._advance()

    def _quickly(self, turn: Turn) -> bool:
        """Answer without a task, now or later; ``False`` (and nothing done) when that cannot be."""
        if self._quick is None:
            return False
        self._opened.turns.add(turn)
        if self._quick(turn):
            return True
        self._opened.turns.discard(turn)
        return False

    async def _answer(self, turn: Turn) -> None:
        try:
            await self._app(turn.scope, turn.receive, turn.send)
        except Exception:  # a fault of ours costs one request, not the gateway
            log.exception("a request was not answered")
        finally:
            self.answered(turn)

    def answered(self, turn: Turn) -> None:
        """Take note that a turn is over."""
        self._opened.leave(turn)
        self._turns.pop(0)
        self._unread -= turn.forget()
        if self._transport.is_closing():
            return None
        if turn.ended and turn.keep and not turn.gone:
            return self._advance()
        if not turn.begun:
            self.write(self._refusal or _FAILED)
        return self._linger()

    def _linger(self) -> None:
        """Close; to a client that still sends, say so and hear it out for a moment, so that it reads our answer."""
        self._deaf = True
        self._turns.clear()
        if self._arriving is None and not self._refusal:
            self._transport.close()
        elif not self._transport.is_closing():
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._transport.write_eof()
            self._loop.call_later(_LINGER_SECONDS, self._transport.close)

    def _flow(self) -> None:
        """Stop reading while too much was read ahead."""
        much = self._unread > _MAX_UNREAD or len(self._turns) > _MAX_AHEAD
        if much != self._paused and not self._transport.is_closing():
            self._paused = much
            if self._head_since:  # while we do not read on, its client is not slow
                self._head_since = self._loop.time()
            (self._transport.pause_reading if much else self._transport.resume_reading)()

    def look(self, now: float) -> None:
        """Close, if the client takes too long over a head, over reading, or over anything at all."""
        timing = self._opened.timing
        slow = self._head_since and not self._paused and now - self._head_since > timing.head
        if self._full is not None and now - self._full_since > timing.idle:
            self._transport.abort()
        elif slow or (not self._turns and now - self._since > timing.idle):
            self._transport.close()
        elif now - self._since > timing.look:
            self._known = None


def _small(head: Head) -> bool:
    """Whether a body is announced that is small enough to wait for, by a client that does not wait itself."""
    return head.length is not None and head.length <= _MAX_UNREAD and b"expect" not in head.fields
