"""HTTP/1.1 on one socket, as a client: one request at a time, and callbacks for its answer (RFC 9112).

httptools parses; nothing here makes a task, a future or a copy for a call. Why this is not a client from the shelf:
``docs/adr/0008-our-own-http-client.md``.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

import httptools

Fields = dict[bytes, bytes]
"""The fields of an answer's head, by name in lower case."""

_MAX_BARREN: Final = 64 * 1024
_LINGER_SECONDS: Final = 1.0
_JOINED: Final = 64 * 1024
"""A body up to this size goes out in one piece with its head; copying a larger one costs more than a second write."""


class Taker(Protocol):
    """Whoever waits for an answer. None of these raises; :meth:`Socket.leave` and :meth:`Socket.abort` end them."""

    def begun(self, status: int, fields: Fields) -> None:
        """The head of the answer."""

    def data(self, chunk: bytes) -> None:
        """A part of its body."""

    def ended(self) -> None:
        """The answer is whole."""

    def broke(self, why: str, *, stale: bool, unsent: bool = False) -> None:
        """It will never be whole; ``stale``: no byte of it came, on a socket that had been used before.

        ``unsent``: nor did a byte of the request leave.
        """


class Home(Protocol):
    """Whom a socket belongs to."""

    def opened(self, socket: Socket) -> None:
        """It is connected."""

    def free(self, socket: Socket) -> None:
        """It can be used again."""

    def lost(self, socket: Socket) -> None:
        """It is closed."""


class _Nobody:
    """Takes the end of an answer that nobody waits for."""

    def begun(self, status: int, fields: Fields) -> None:
        """Ignore it."""

    def data(self, chunk: bytes) -> None:
        """Ignore it."""

    def ended(self) -> None:
        """Ignore it."""

    def broke(self, why: str, *, stale: bool, unsent: bool = False) -> None:
        """Ignore it."""


_NOBODY: Final = _Nobody()


class Socket(asyncio.Protocol):
    """One connection to an HTTP server.

    ``since`` is when it was last of use (loop time), ``patience`` how many seconds of idleness the server promised to
    bear (``None``: it promised nothing), ``used`` whether a request was sent on it before.
    """

    __slots__ = (
        "_barren", "_chunks", "_complete", "_extra", "_fields", "_final", "_heard", "_home", "_keep", "_loop",
        "_parser", "_stale", "_status", "_taker", "_timer", "_told", "_transport", "_unsent",
        "patience", "since", "used",
    )  # fmt: skip

    def __init__(self, home: Home) -> None:
        self.since = 0.0
        self.patience: float | None = None
        self.used = False
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpResponseParser(self)
        self._taker: Taker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fields: Fields = {}
        self._chunks: list[bytes] = []
        self._unsent: tuple[bytes, bytes] | None = None
        self._status = 0
        self._barren = 0  # bytes since the last one that brought an answer on
        self._keep = self._stale = self._heard = self._extra = False
        self._final = self._told = self._complete = False

    # --- the owner's calls ---------------------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        """Whether it cannot be used any more."""
        return bool(self._transport.is_closing())

    def ask(self, head: bytes, body: bytes, taker: Taker) -> None:
        """Send a request at the end of this turn of the loop; what comes back goes to ``taker``."""
        self._taker = taker
        self._stale, self.used = self.used, True
        self._fields = {}
        self._heard = self._final = self._told = self._complete = False
        self._unsent = (head, body)
        self._loop.call_soon(self._send)

    def leave(self) -> None:
        """Nobody waits for the rest of the answer; if it ends within a second, the socket can be used again."""
        self._taker = _NOBODY
        if not self._keep:
            self._transport.abort()
        elif not self._complete:
            self._timer = self._loop.call_later(_LINGER_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """Close at once; for the taker, who is told nothing more. What was not sent yet never is."""
        if self._unsent is not None and not self._transport.is_closing():
            self._unsent = self._taker = None
            self._home.free(self)
        else:
            self._taker = _NOBODY
            self._transport.abort()

    def drop(self) -> None:
        """Close at once; for the owner: the taker learns of it."""
        self._transport.abort()

    def close(self) -> None:
        """Close; for a socket that nobody uses."""
        self._transport.close()

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, None
        if unsent is None or self._transport.is_closing():
            return
        head, body = unsent
        if len(body) > _JOINED:
            self._transport.write(head)
            self._transport.write(body)
        else:
            self._transport.write(head + body)

    # --- asyncio's calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._home.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whoever waits learns that nothing more will come."""
        self._home.lost(self)
        if self._timer is not None:
            self._timer.cancel()
        taker, self._taker = self._taker, None
        if taker is None:
            return
        if self._told and exc is None and not self._framed():
            taker.ended()  # the end of the connection is the end of such a body (RFC 9112, section 6.3)
            return
        what = "broke off its answer" if self._heard else "closed the connection without an answer"
        why, stale = f"{what} ({exc})" if exc is not None else what, self._stale and not self._heard
        taker.broke(why, stale=stale, unsent=self._unsent is not None)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, then hand it over."""
        if self._taker is None or self._unsent is not None:
            self._transport.abort()  # nobody asked: whatever this is, it must not become somebody's answer
            return
        self._heard = True
        self._barren += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._keep = False
            if not self._complete:
                self._break("answers with something that is not HTTP/1.1")
                return
        if self._barren > _MAX_BARREN and not self._complete:
            self._break("sends a head without end")
        else:
            self._hand_over()

    # --- the parser's calls --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins: a second one is one that nobody asked for."""
        self._extra = self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head (or of a trailer, which is dropped)."""
        if not self._final:
            self._fields[name.lower()] = value or b""

    def on_headers_complete(self) -> None:
        """The head is whole: of the answer, or of a word in between (100 to 199)."""
        if self._complete:
            return
        self._status = self._parser.get_status_code()
        if self._status < 200:
            self._fields = {}
            return
        self._final = True
        self._barren = 0
        self._keep = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._barren = 0
        if not self._complete:
            self._chunks.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._complete = self._final

    # --- handing over --------------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Give the taker what came; it may leave or abort at any of these calls, so it is looked up for each."""
        taker: Any = self._taker
        if self._final and not self._told:
            self._told = True
            taker.begun(self._status, self._fields)
        if self._chunks:
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                taker = self._taker
                taker.data(chunk)
        if self._complete and not self._transport.is_closing():
            self._end()

    def _end(self) -> None:
        """Be free before the taker hears of the end: what it asks next can go out on this very socket."""
        taker: Any = self._taker
        self._taker = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._keep and not self._extra and not self._transport.get_write_buffer_size():
            self._barren = 0
            self.since = self._loop.time()
            if b"keep-alive" in self._fields:
                self.patience = _patience(self._fields[b"keep-alive"])
            self._home.free(self)
        else:
            self._transport.close()
        taker.ended()

    def _break(self, why: str) -> None:
        taker: Any = self._taker
        self.abort()
        taker.broke(why, stale=False)

    def _framed(self) -> bool:
        return self._keep or b"content-length" in self._fields or b"transfer-encoding" in self._fields


def _patience(value: bytes) -> float | None:
    """Read ``timeout=N`` out of a ``Keep-Alive`` field."""
    for part in value.lower().split(b","):
        name, _, seconds = part.strip().partition(b"=")
        if name == b"timeout" and seconds.isdigit():
            return float(seconds[:9])
    return None
