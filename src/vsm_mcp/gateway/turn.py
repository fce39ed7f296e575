"""One request on a connection and its answer: the two ends of an ASGI conversation (ASGI 3.0, HTTP)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Protocol

from vsm_mcp.gateway.asgi import CLOSE, JSON, TUNNEL, TURN, WHOLE, Headers, Message, Scope
from vsm_mcp.gateway.head import Head

_STATUS: Final = {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_OK: Final = int(HTTPStatus.OK)
_CHUNKED: Final = (b"transfer-encoding", b"chunked")
_PLAIN_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
PLAIN_JSON: Final[Headers] = (JSON,)
"""The headers of an answer that is JSON and nothing else."""

_JOINED: Final = 16 * 1024
"""A body up to this size goes out in one piece with its head; copying a larger one costs more than a second write."""


class Line(Protocol):
    """What a turn needs of its connection. ``peer``: address and port of the client, ``None`` on a unix socket."""

    peer: tuple[str, int] | None

    def write(self, data: bytes) -> None:
        """Write to the client."""
        ...

    def write_both(self, head: bytes, body: bytes) -> None:
        """Write a head and a large body."""
        ...

    async def drained(self) -> None:
        """Wait until the client has read most of what was written."""
        ...

    def taken(self, size: int) -> None:
        """Take note that so many bytes of a body were read."""
        ...

    @property
    def clogged(self) -> bool:
        """Whether the client does not read."""
        ...

    def answered(self, turn: Turn) -> None:
        """Take note that a turn is over."""
        ...


class Turn:
    """One request and its answer. ``complete``: all of the request is here; ``ended``: all of the answer is written.

    ``whole`` is the body, where all of it is here when the application is asked. ``fields`` go out with the head of the
    answer, whatever it is.
    """

    __slots__ = (
        "_begun_with", "_body", "_chunked", "_continued", "_given", "_line", "_scope", "_silent", "_waiter",
        "begun", "complete", "ended", "fields", "gone", "head", "keep", "on_lost", "started", "whole",
    )  # fmt: skip

    def __init__(self, line: Line, head: Head, whole: bytes | None = None) -> None:
        self.head = head
        self.whole: bytes | None = None
        self.keep = head.keep
        self.fields: Headers = ()
        self.complete = whole is not None
        self.started = self.begun = self.ended = self.gone = False
        self._line = line
        self._scope: Scope | None = None
        self._silent = head.method == "HEAD"
        self._continued = not head.modern
        self._body: list[bytes] = [] if whole is None else [whole]
        self._given = False
        self._begun_with: tuple[int, Headers] | None = None
        self._chunked = False
        self._waiter: asyncio.Future[None] | None = None
        self.on_lost: Callable[[], None] | None = None

    @property
    def scope(self) -> Scope:
        """The ASGI scope; made when it is first asked for, because almost every request is answered without one."""
        scope = self._scope
        if scope is None:
            scope = self._scope = {
                "type": "http",
                "method": self.head.method,
                "path": self.head.path,
                "query_string": self.head.query,
                "headers": self.head.pairs,
                "client": self._line.peer,
                TURN: self,
            }
            if self.whole is not None:
                scope[WHOLE] = self.whole
        return scope

    def noted(self, key: str) -> Any:
        """Return what stands in the scope under ``key``, ``None`` where nothing does."""
        return None if self._scope is None else self._scope.get(key)

    # --- the connection's end ------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bool:
        """Take a part of the body; says whether anybody will read it."""
        if self.ended:
            return False
        self._body.append(data)
        self._wake()
        return True

    def complete_now(self) -> None:
        """The request has arrived whole."""
        self.complete = True
        self._wake()

    def begin(self) -> None:
        """The application is about to be asked: a body that is all here goes along."""
        self.started = True
        if self.complete:
            if len(self._body) != 1:
                self._body = [b"".join(self._body)]
            self.whole = self._body[0]
            if self._scope is not None:
                self._scope[WHOLE] = self.whole

    def lost(self) -> None:
        """The client has gone."""
        self.gone = True
        self._wake()
        if self.on_lost is not None:
            self.on_lost()

    def forget(self) -> int:
        """Drop what nobody read of the body, and who is in circles with us; return how many bytes that were."""
        left = sum(map(len, self._body))
        self._body.clear()
        if self._scope is not None:  # only the garbage collector could undo a circle
            self._scope.pop(TURN, None)
            self._scope.pop(TUNNEL, None)
        return left

    # --- the application's end, without waiting ------------------------------------------------------------------

    @property
    def clogged(self) -> bool:
        """Whether the client does not read what was written."""
        return self._line.clogged

    def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Write the whole answer."""
        if self.gone or self.ended:
            return
        plain = headers is PLAIN_JSON and not self.fields
        if plain and status == _OK and self.keep and len(body) <= _JOINED:
            self.begun = True  # almost every answer
            self._line.write(b"%b%d\r\n\r\n%b" % (_PLAIN_HEAD, len(body), body))
        else:
            self._begin(status, headers, body, last=True)
        self._end()

    def stream(self, data: bytes, headers: Headers, *, last: bool = False) -> None:
        """Write a part of an answer whose length is not known, its head (``headers``, status 200) first."""
        if self.gone or self.ended:
            return
        if self.begun:
            self._write(data, last)
        else:
            self._begin(HTTPStatus.OK, headers, data, last)
        if last:
            self._end()

    async def drained(self) -> None:
        """Wait until the client has read most of what was written."""
        await self._line.drained()

    def over(self) -> None:
        """Say that nobody will write any more, where no task answers."""
        self._line.answered(self)

    def _end(self) -> None:
        self.ended = True
        self._wake()

    # --- the application's end -----------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next part of the body, then wait for the end of the conversation."""
        if not self._continued and not self.complete and not self.begun:
            self._continued = True
            if b"expect" in self.head.fields:
                self._line.write(_CONTINUE)
        while not self.gone and not self.ended and (self._given or not (self._body or self.complete)):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self.gone or self.ended:
            return {"type": "http.disconnect"}
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._given = self.complete
        self._line.taken(len(body))
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def send(self, message: Message) -> None:
        """Write the head (with the first part of the body) or a part of the body; waits for a slow client."""
        if self.gone or self.ended:
            return
        if message["type"] == "http.response.start":
            self._begun_with = (message["status"], message["headers"])
            return
        body, last = message.get("body", b""), not message.get("more_body", False)
        if self._begun_with is not None:
            (status, headers), self._begun_with = self._begun_with, None
            self._begin(status, headers, body, last)
        else:
            self._write(body, last)
        if last:
            self._end()
        await self._line.drained()

    def _begin(self, status: int, headers: Headers, body: bytes, last: bool) -> None:
        self.begun = True
        names = {name for name, _ in headers}
        extra: list[tuple[bytes, bytes]] = []
        if b"content-length" not in names and status >= HTTPStatus.OK and status != HTTPStatus.NO_CONTENT:
            if last:
                extra.append((b"content-length", b"%d" % len(body)))
            elif self.head.modern:
                self._chunked = True
                extra.append(_CHUNKED)
            else:
                self.keep = False
        if CLOSE in headers:
            self.keep = False
        elif not self.keep:
            extra.append(CLOSE)
        fields = b"".join([b"%b: %b\r\n" % field for field in (*headers, *self.fields, *extra)])
        head = b"%b%b\r\n" % (_STATUS.get(status) or b"HTTP/1.1 %d \r\n" % status, fields)
        if self._chunked or self._silent:
            self._line.write(head)
            self._write(body, last)
        elif len(body) > _JOINED:
            self._line.write_both(head, body)
        else:
            self._line.write(head + body)

    def _write(self, body: bytes, last: bool) -> None:
        if self._silent:
            return
        if self._chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if last else b"")
        if body:
            self._line.write(body)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
