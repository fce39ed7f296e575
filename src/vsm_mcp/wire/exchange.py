"""One HTTP request and what comes back of it, without a task of its own: its end is a call of ``done``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from vsm_mcp.errors import HttpRefused, ProtocolError, TransportError, VsmError
from vsm_mcp.wire import header
from vsm_mcp.wire.authorizer import Challenged
from vsm_mcp.wire.http11 import Fields, Socket
from vsm_mcp.wire.sse import SseReader
from vsm_mcp.wire.transport import Deliver, Done

EVENTS: Final = b"text/event-stream"
JSON: Final = b"application/json"


class Stale(TransportError):
    """The server had closed the socket before the request reached it, as far as anybody can tell."""


class Moved(HttpRefused):
    """The server redirects to ``location``."""

    def __init__(self, status: int, message: str, location: str) -> None:
        super().__init__(status, message)
        self.location = location


class Cut(TransportError):
    """A stream ended before what was awaited came; ``reader`` knows from where it could be resumed."""

    def __init__(self, message: str, reader: SseReader) -> None:
        super().__init__(message)
        self.reader = reader


class Exchange:
    """A request, and who takes its answer.

    ``lines`` are header lines beside those that every request of a site carries; ``target`` is asked for in place of
    the site's own; ``repeatable`` says that nothing is done twice when the request is sent twice. ``place`` is what
    messages call the server; ``authorized`` is the header line with which it was sent last. ``rest`` is the task that
    mends an exchange which did not go through, if there is one.
    By itself an exchange wants nothing but the head of the answer, and is content with 2xx; subclasses want more.
    """

    __slots__ = ("authorized", "body", "done", "lines", "method", "place", "repeatable", "rest", "socket", "target")

    def __init__(self, method: str, lines: bytes = b"", body: bytes = b"", *, repeatable: bool = True) -> None:
        self.method = method
        self.lines = lines
        self.body = body
        self.target = ""
        self.repeatable = repeatable
        self.place = "the server"
        self.authorized = b""
        self.done: Done = _nobody
        self.socket: Socket | None = None
        self.rest: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Give it up: ``done`` will not be called."""
        self.done = _nobody
        if self.socket is not None:
            self.socket.abort()
            self.socket = None
        if self.rest is not None:
            self.rest.cancel()

    # --- the socket's calls --------------------------------------------------------------------------------------

    def begun(self, status: int, fields: Fields) -> None:
        """The head of the answer."""
        self.leave(self.refusal(status, fields) if status >= 300 else None)

    def data(self, chunk: bytes) -> None:
        """A part of its body."""

    def ended(self) -> None:
        """The answer is whole."""

    def broke(self, why: str, *, stale: bool, unsent: bool = False) -> None:
        """Nothing more will come."""
        trouble = (Stale if stale else TransportError)(f"{self.place} {why}")
        trouble.unsent = unsent
        self.finish(trouble)

    # --- ends ----------------------------------------------------------------------------------------------------

    def refusal(self, status: int, fields: Fields) -> VsmError:
        """Return what a status other than 2xx means."""
        if 300 <= status < 400:
            return Moved(status, f"{self.place} redirects", text(fields, b"location"))
        trouble = header.refusal(status, text(fields, b"retry-after"), self.place)
        challenge = text(fields, b"www-authenticate")
        if self.method != "DELETE" and header.wants_authorization(status, challenge):
            return Challenged(status, trouble.message, trouble.hint, challenge)
        return trouble

    def leave(self, trouble: VsmError | None) -> None:
        """Finish before the end of the answer."""
        if self.socket is not None:
            self.socket.leave()
        self.finish(trouble)

    def reject(self, trouble: VsmError) -> None:
        """Finish, and hear no more of this."""
        if self.socket is not None:
            self.socket.abort()
        self.finish(trouble)

    def finish(self, trouble: VsmError | None) -> None:
        """Say how it ended; nothing that comes later is heard."""
        self.socket = None
        done, self.done = self.done, _nobody
        done(trouble)


class Events:
    """The messages of a stream of events, on their way to whoever takes them.

    ``about`` is the id of the request whose response the stream is to bring; one with ``None`` never has enough.
    """

    __slots__ = ("_about", "_deliver", "reader")

    def __init__(self, reader: SseReader, about: int | None, deliver: Deliver) -> None:
        self.reader = reader
        self._about = about
        self._deliver = deliver

    def take(self, chunk: bytes) -> bool:
        """Deliver what a chunk completes; returns whether the response was among it, and stops there.

        Raises :class:`ProtocolError` for an event that is too large.
        """
        for data in self.reader.feed(chunk):
            try:
                if self._deliver(data, self._about) and self._about is not None:
                    return True
            except ProtocolError:
                pass  # one bad event does not end a stream
        return False


class Stream(Exchange):
    """A stream of events that a GET opens; done when a response was delivered, or with what ended it.

    ``opened`` is called when the server has granted it.
    """

    __slots__ = ("_events", "_opened")

    def __init__(self, lines: bytes, events: Events, opened: Callable[[], None] | None = None) -> None:
        super().__init__("GET", lines)
        self._events = events
        self._opened = opened

    def begun(self, status: int, fields: Fields) -> None:
        """See whether it is a stream."""
        if status != 200:
            self.leave(self.refusal(status, fields))
        elif content_type(fields) != EVENTS:
            self.reject(HttpRefused(status, f"{self.place} answers GET with something that is no stream of events"))
        elif self._opened is not None:
            self._opened()

    def data(self, chunk: bytes) -> None:
        """Deliver its events."""
        try:
            if self._events.take(chunk):
                self.leave(None)
        except ProtocolError as error:
            self.reject(error)

    def ended(self) -> None:
        """The server closed it."""
        self.finish(Cut(f"{self.place} ended its stream of events", self._events.reader))

    def broke(self, why: str, *, stale: bool, unsent: bool = False) -> None:
        """It was cut off, or never began."""
        super().broke(why, stale=True) if stale else self.finish(Cut(f"{self.place} {why}", self._events.reader))


def content_type(fields: Fields) -> bytes:
    """Return the media type without its parameters, in lower case."""
    return fields.get(b"content-type", b"").partition(b";")[0].strip().lower()


def text(fields: Fields, name: bytes) -> str:
    """Return a field as text, empty when it is not there (RFC 9110, section 5.5)."""
    return fields.get(name, b"").decode("latin-1")


def _nobody(_trouble: VsmError | None) -> None:
    """Drop the end of an exchange that was given up."""
