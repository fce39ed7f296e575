"""One POST of a JSON-RPC request and its answer: a JSON document or a stream of events, whichever the server likes."""

from __future__ import annotations

from typing import Final, Protocol

from vsm_mcp.errors import HttpRefused, ProtocolError, VsmError
from vsm_mcp.wire import envelope, header
from vsm_mcp.wire.exchange import EVENTS, JSON, Cut, Events, Exchange, content_type
from vsm_mcp.wire.http11 import Fields
from vsm_mcp.wire.sse import SseReader
from vsm_mcp.wire.transport import Deliver, Head

_REFUSAL_BYTES: Final = 64 * 1024
ANSWERS_ONCE: Final = "tools/call"
"""The one method whose repetition may do something twice."""


class SessionGone(HttpRefused):
    """The server no longer knows the session ``known``."""

    def __init__(self, status: int, message: str, known: bytes) -> None:
        super().__init__(status, message)
        self.known = known


class Held(Protocol):
    """The part of a session that requests need."""

    id: bytes
    lines: bytes

    def opened(self, ident: bytes) -> None:
        """Take note of the id in the answer to ``initialize``."""


class Notice(Exchange):
    """A message that is not answered; servers acknowledge it in many ways, and none of them matters."""

    __slots__ = ()

    def __init__(self, data: bytes, head: Head, lines: bytes) -> None:
        super().__init__("POST", lines + header.of_message(head), data)

    def begun(self, status: int, fields: Fields) -> None:
        """Be content, unless it is to be sent elsewhere."""
        self.leave(self.refusal(status, fields) if 300 <= status < 400 else None)


class Post(Exchange):
    """A request on its way. An answer may be ``limit`` bytes long.

    Done with ``None`` once the response is delivered, with :class:`HttpRefused` for a status that will not change,
    with :class:`TransportError` (which may be tried again) for a broken connection, 408, 429 and 5xx, and with
    :class:`ProtocolError` for an answer that is no message.
    """

    __slots__ = (
        "_deliver",
        "_events",
        "_known",
        "_limit",
        "_parts",
        "_refusal",
        "_session",
        "_size",
        "_status",
        "head",
    )

    def __init__(self, data: bytes, head: Head, session: Held, deliver: Deliver, limit: int) -> None:
        lines = session.lines + header.of_message(head)
        super().__init__("POST", lines, data, repeatable=head.method != ANSWERS_ONCE)
        self.head = head
        self._session = session
        self._known = session.id
        self._deliver = deliver
        self._limit = limit
        self._status = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._events: Events | None = None
        self._refusal: VsmError | None = None

    # --- the socket's calls --------------------------------------------------------------------------------------

    def begun(self, status: int, fields: Fields) -> None:
        """Decide by the head what to do with the body."""
        self._status = status
        kind, method = content_type(fields), self.head.method
        if method == "initialize":
            self._session.opened(fields.get(b"mcp-session-id", b""))
        if status >= 300:
            self._refused(status, fields, kind)
        elif status in {202, 204}:
            self.leave(ProtocolError(f"the server accepted {method} without answering it"))
        elif fields.get(b"content-encoding", b"identity").lower() != b"identity":
            self.leave(ProtocolError(f"the server compressed its answer to {method}, though it was asked not to"))
        elif kind == EVENTS:
            self._events = Events(SseReader(self._limit), self.head.id, self._deliver)
        elif kind != JSON:
            shown = kind.decode("latin-1") or "no content type"
            self.leave(ProtocolError(f"the server answered {method} with {shown}, which is not MCP"))

    def data(self, chunk: bytes) -> None:
        """Keep a part of a document; deliver what a part of a stream completes."""
        if self._events is not None:
            try:
                if self._events.take(chunk):
                    self.leave(None)
            except ProtocolError as error:
                self.reject(error)
            return
        self._parts.append(chunk)
        self._size += len(chunk)
        if self._size > self._limit:
            self.reject(self._refusal or ProtocolError(f"the server sent an answer of more than {self._limit} bytes"))

    def ended(self) -> None:
        """Deliver a document; a stream that ends here lacks its response."""
        method = self.head.method
        if self._events is not None:
            self.finish(Cut(f"the server ended its answer to {method} before the response", self._events.reader))
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if self._refusal is not None:
            self._spoken(self._refusal, body)
            return
        try:
            answered = self._deliver(body, self.head.id)
        except ProtocolError as error:
            self.finish(error)
            return
        trouble = f"the server's answer to {method} holds no response to it"
        self.finish(None if answered else ProtocolError(trouble))

    def broke(self, why: str, *, stale: bool, unsent: bool = False) -> None:
        """Nothing more will come; a stream may be resumed."""
        if self._events is not None:
            self.ended()
        else:
            super().broke(why, stale=stale, unsent=unsent)

    # --- refusals ------------------------------------------------------------------------------------------------

    def _refused(self, status: int, fields: Fields, kind: bytes) -> None:
        refusal = self.refusal(status, fields)
        if status >= 400 and kind == JSON and status not in header.STATUS_DECIDES:
            self._refusal = refusal
            self._limit = _REFUSAL_BYTES
        else:
            self.leave(self._gone(b"") or refusal)

    def _spoken(self, refusal: VsmError, body: bytes) -> None:
        """Deliver the JSON-RPC error in a refusal, or finish with what the status means."""
        try:
            error = envelope.read(body).error
        except ProtocolError:
            error = None
        trouble = self._gone(bytes(error or b""))
        if trouble is None and error is not None and self.head.id is not None:
            # The server may not have got as far as our id; the answer to this POST is ours whatever it says.
            self._deliver(envelope.error_of(self.head.id, error), self.head.id)
            self.finish(None)
        else:
            self.finish(trouble or refusal)

    def _gone(self, said: bytes) -> SessionGone | None:
        """Return what 404 means in a session, and the 400 that a widespread example taught servers to send."""
        if self._known and (self._status == 404 or (self._status == 400 and b"session" in said.lower())):
            return SessionGone(self._status, f"{self.place} no longer knows the session", self._known)
        return None
