"""The endpoint over stdio: one message a line (specification, "Transports: stdio").

The first request decides the era for the life of the connection, as the reference implementations do: one with the
modern envelope in ``_meta`` opens a modern connection, anything else a legacy one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Final

from vsm_mcp.gateway import envelopes, listening, messages
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.changes import KINDS, Listener
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.listening import Subscription
from vsm_mcp.gateway.messages import NO_ID, Request
from vsm_mcp.gateway.pipes import Lines, Out, attach
from vsm_mcp.gateway.sessions import Session
from vsm_mcp.gateway.view import View
from vsm_mcp.wire import era
from vsm_mcp.wire.envelope import Message

_WHO: Final = "stdio"
_MAX_CALLS: Final = 1024
_LAST_ANSWERS_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 2.0


async def serve_stdio(gateway: Gateway, read_fd: int, write_fd: int, view: View | None = None) -> None:
    """Serve one client over two file descriptors until it closes its end; both are closed at the end.

    It sees ``view`` (default: everything).

    Nothing but protocol messages is written. Calls in flight when the client closes its end have five seconds to be
    answered. Raises :class:`ConfigError` when the descriptors are no pipes.
    """
    await _Pipe(gateway, view or gateway.view).run(read_fd, write_fd)


class _Pipe:
    """One client at the other end."""

    def __init__(self, gateway: Gateway, view: View) -> None:
        self._gateway = gateway
        self._view = view
        self._modern: bool | None = None
        self._session: Session | None = None
        self._news: Listener | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()
        self._reading: asyncio.ReadTransport | None = None
        self._held = False
        self._out_paused = False

    async def run(self, read_fd: int, write_fd: int) -> None:
        self._out = Out(self._pause)
        lines = Lines(self._take, self._gateway.settings.max_body_bytes)
        self._reading = await attach(read_fd, write_fd, lines, self._out)
        try:
            await asyncio.wait({lines.ended, self._out.closed}, return_when=asyncio.FIRST_COMPLETED)
            if self._calls and not self._out.closed.done():
                await asyncio.wait(self._calls, timeout=_LAST_ANSWERS_SECONDS)
        finally:
            self._out.flush()
            self._reading.close()
            rest = self._calls | self._streams
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            if self._session is not None:
                self._gateway.sessions.close(self._session.ident)
            await self._out.close(_FLUSH_SECONDS)

    # --- in -------------------------------------------------------------------------------------------------------

    def _take(self, line: bytes | None) -> None:
        ident = NO_ID
        try:
            if line is None:
                limit = self._gateway.settings.max_body_bytes
                raise Fault(era.INVALID_REQUEST, f"a message of more than {limit} bytes is not taken")
            message = messages.read(line)
            if message.method is None or message.id is None:
                return self._one_way(message)
            ident = bytes(message.id)
            request = messages.request_of(message)
            self._check_era(request)
            self._request(request)
        except Fault as error:
            self._out.notify(messages.fault(ident, error))
        return None

    def _one_way(self, message: Message) -> None:
        if message.method is None:
            if self._session is not None:
                self._session.questions.answered(message)
        elif message.method == "notifications/cancelled":
            self._gateway.cancelled(self._who, message.params)
        elif message.method == "notifications/initialized" and self._modern is False and self._news is None:
            self._news = self._view.changes.listen(frozenset(KINDS))
            self._spawn(self._tell_news(self._news), self._streams)

    def _check_era(self, request: Request) -> None:
        enveloped = request.meta is not None and era.META_PROTOCOL in request.meta
        if self._modern is None:
            self._modern = enveloped and request.method != "initialize"
        if self._modern:
            if request.method == "initialize":
                wanted = messages.text_or_none(request.params.get("protocolVersion")) or ""
                data = messages.encode({"supported": [era.MODERN], "requested": wanted})
                raise Fault(era.UNSUPPORTED_VERSION, "this connection has begun in the modern era", data)
            envelopes.check_meta(request)
        elif enveloped and request.method != "initialize":
            raise Fault(era.INVALID_REQUEST, "this connection has begun with initialize: send no protocol version")

    def _request(self, request: Request) -> None:
        modern = bool(self._modern)
        if request.method == "initialize":
            return self._initialize(request)
        caller = Caller(self._view, modern=modern, session=self._session, who=self._who, back=self._out)
        answer = self._gateway.at_once(request, caller)
        if answer is not None:
            self._out.notify(answer.body)
        elif modern and request.method == "subscriptions/listen":
            self._spawn(self._listen(request, Subscription(request)), self._streams)
        else:
            self._spawn(self._call(request, caller), self._calls)
            self._hold()
        return None

    def _initialize(self, request: Request) -> None:
        answer, session = self._gateway.initialize(request, self._view, monotonic())
        if session is not None:
            if self._session is not None:
                self._gateway.sessions.close(self._session.ident)
            session.busy = 1
            self._session = session
        self._out.notify(answer.body)

    # --- out ------------------------------------------------------------------------------------------------------

    @property
    def _who(self) -> str:
        return f"{_WHO}-{id(self)}"

    async def _call(self, request: Request, caller: Caller) -> None:
        answer: Answer | None = None
        async with _Flight(self._gateway, self._who, request):
            answer = await self._gateway.answer(request, caller)
        if answer is not None:  # who has cancelled a call wants no answer (specification, "Cancellation")
            self._out.notify(answer.body)

    async def _listen(self, request: Request, subscription: Subscription) -> None:
        changes = self._view.changes
        if changes.full:
            return self._out.notify(
                messages.fault(request.id, Fault(era.INTERNAL_ERROR, "too many subscriptions are open"))
            )
        listener = changes.listen(subscription.kinds)
        self._out.notify(subscription.acknowledged())
        try:
            async with _Flight(self._gateway, self._who, request):
                while (news := await listener.news(self._gateway.limits.keep_alive_seconds)) is not None:
                    for kind in news:
                        self._out.notify(subscription.changed(kind))
                self._out.notify(subscription.ended())
        finally:
            changes.leave(listener)
        return None

    async def _tell_news(self, listener: Listener) -> None:
        try:
            while (news := await listener.news(self._gateway.limits.keep_alive_seconds)) is not None:
                for kind in news:
                    self._out.notify(listening.plain_change(kind))
        finally:
            self._view.changes.leave(listener)

    def _spawn(self, work: Coroutine[Any, Any, None], group: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        group.add(task)
        task.add_done_callback(group.discard)
        task.add_done_callback(lambda _task: self._hold())

    # --- back pressure --------------------------------------------------------------------------------------------

    def _pause(self, paused: bool) -> None:
        self._out_paused = paused
        self._hold()

    def _hold(self) -> None:
        """Read no further while the client does not read, or while it has too many calls open."""
        if self._reading is None or self._reading.is_closing():
            return
        hold = self._out_paused or len(self._calls) >= _MAX_CALLS
        if hold and not self._held:
            self._reading.pause_reading()
        elif self._held and not hold:
            self._reading.resume_reading()
        self._held = hold


class _Flight:
    """A request in flight, which ends quietly when its client takes it back."""

    def __init__(self, gateway: Gateway, who: str, request: Request) -> None:
        self._flights = gateway.flights
        self._key = (who, request.id)

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._flights.enter(self._key, task)

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        self._flights.leave(self._key)
        return kind is asyncio.CancelledError and self._flights.was_withdrawn(asyncio.current_task())
