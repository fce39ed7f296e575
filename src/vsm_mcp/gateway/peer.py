"""One client at the other end of a line that carries messages both ways: a pair of pipes, or HTTP+SSE.

The first request decides the era for the life of the connection, as the reference implementations do: one with the
modern envelope in ``_meta`` opens a modern connection, anything else a legacy one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Protocol

from vsm_mcp.gateway import envelopes, listening, messages
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.caller import Back, Caller
from vsm_mcp.gateway.changes import Listener
from vsm_mcp.gateway.errand import Errand
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.listening import Subscription
from vsm_mcp.gateway.messages import NO_ID, Request
from vsm_mcp.gateway.sessions import Session
from vsm_mcp.gateway.view import View
from vsm_mcp.model.principal import LOCAL, Principal
from vsm_mcp.wire import era
from vsm_mcp.wire.envelope import Message


def _nothing() -> None:
    """Do nothing."""


class Line(Back, Protocol):
    """The way out to one client."""

    async def drained(self) -> None:
        """Wait while the client does not read."""
        ...


class _Errand(Errand):
    """A call that no task waits for; ``over`` is told of its end."""

    __slots__ = ("_out", "_over")

    def __init__(self, gateway: Gateway, asked: Asked, out: Line, over: Callable[[_Errand], None]) -> None:
        super().__init__(gateway, asked)
        self._out = out
        self._over = over

    def _say(self, answer: Answer) -> None:
        self._out.put(answer.body)

    def _ended(self) -> None:
        self._over(self)


class Peer:
    """Takes one client's messages and writes ours to ``out``.

    ``settled`` is called whenever the number of open calls (``len``) has changed. The client is ``principal``.
    """

    def __init__(
        self,
        gateway: Gateway,
        view: View,
        out: Line,
        settled: Callable[[], None] = _nothing,
        principal: Principal = LOCAL,
    ) -> None:
        self._gateway = gateway
        self._view = view
        self._out = out
        self._settled = settled
        self._principal = principal
        self._who = f"line-{id(self):x}"
        self._modern: bool | None = None
        self._session: Session | None = None
        self._telling = False
        self._calls: set[asyncio.Task[None]] = set()
        self._errands: set[_Errand] = set()
        self._idle: asyncio.Future[None] | None = None
        self._streams: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._calls) + len(self._errands)

    async def finish(self, seconds: float) -> None:
        """Give calls in flight some seconds to be answered."""
        waited: set[asyncio.Future[None]] = set(self._calls)
        if self._errands:
            self._idle = asyncio.get_running_loop().create_future()
            waited.add(self._idle)
        if waited:
            await asyncio.wait(waited, timeout=seconds)

    async def close(self) -> None:
        """Give up what is still open, and end the session."""
        errands = tuple(self._errands)
        for errand in errands:
            errand.give_up()
        rest = self._calls | self._streams | {errand.task for errand in errands if errand.task is not None}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if self._session is not None:
            self._gateway.sessions.close(self._session.ident)
            self._session = None
        self._gateway.end_client(self._who)

    # --- in -------------------------------------------------------------------------------------------------------

    def take(self, line: bytes | None) -> None:
        """Take one message; ``None`` stands for one that was too long to be read."""
        ident = NO_ID
        try:
            if line is None:
                limit = self._gateway.settings.max_body_bytes
                raise Fault(era.INVALID_REQUEST, f"a message of more than {limit} bytes is not taken")
            request = messages.plain(line)
            if request is None:
                message = messages.read(line)
                if message.method is None or message.id is None:
                    return self._one_way(message)
                ident = bytes(message.id)
                request = messages.request_of(message)
            ident = request.id
            self._check_era(request)
            self._request(request, line)
        except Fault as error:
            self._out.put(messages.fault(ident, error))
        return None

    def _one_way(self, message: Message) -> None:
        if message.method is None:
            if self._session is not None:
                self._session.questions.answered(message)
        elif message.method == "notifications/cancelled":
            self._gateway.cancelled(self._who, message.params)
        elif message.method == "notifications/roots/list_changed" and self._session is not None:
            self._gateway.roots_changed(self._session)
        elif message.method == "notifications/initialized" and self._session is not None and not self._telling:
            self._telling = True
            listener = self._session.listener or self._gateway.hear(self._session)
            self._spawn(self._tell_news(listener), self._streams)

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

    def _request(self, request: Request, line: bytes) -> None:
        modern = bool(self._modern)
        if request.method == "initialize":
            return self._initialize(request)
        caller = Caller(
            self._view,
            modern=modern,
            session=self._session,
            who=self._who if self._session is None else "",
            back=self._out,
            principal=self._principal,
        )
        answer = self._gateway.at_once(request, caller)
        if answer is not None:
            self._out.put(answer.body)
        elif modern and request.method == "subscriptions/listen":
            self._fly(request, self._listen(request, Subscription(request), caller), self._streams)
        else:
            self._call(request, line, caller)
            self._settled()
        return None

    def _call(self, request: Request, line: bytes, caller: Caller) -> None:
        """Have a server answer; without a task, if it is ready.

        The attempt may have changed the request on its way, so the other way begins with the ``line`` again.
        """
        asked = self._gateway.begin(request, caller)
        if asked is None:
            return self._fly(request, self._answer(messages.request_of(messages.read(line)), caller), self._calls)
        errand = _Errand(self._gateway, asked, self._out, self._over)
        self._errands.add(errand)
        return errand.begin((self._who, request.id))

    def _over(self, errand: _Errand) -> None:
        self._errands.discard(errand)
        if self._idle is not None and not self._errands and not self._idle.done():
            self._idle.set_result(None)
        self._settled()

    def _initialize(self, request: Request) -> None:
        answer, session = self._gateway.initialize(request, self._view, monotonic(), self._principal)
        if session is not None:
            if self._session is not None:
                self._gateway.sessions.close(self._session.ident)
            session.busy = 1
            self._session = session
            self._telling = False
        self._out.put(answer.body)

    # --- out ------------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request, caller: Caller) -> None:
        answer = await self._gateway.answer(request, caller)
        self._out.put(answer.body)

    async def _listen(self, request: Request, subscription: Subscription, caller: Caller) -> None:
        if self._view.changes.full:
            full = Fault(era.INTERNAL_ERROR, "too many subscriptions are open")
            return self._out.put(messages.fault(request.id, full))
        listener, acknowledged = subscription.begin(caller, self._gateway.updates, self._gateway.following)
        self._out.put(acknowledged)
        try:
            while (news := await listener.news(self._gateway.limits.keep_alive_seconds)) is not None:
                for item in news:
                    self._out.put(subscription.frame(item))
                await self._out.drained()
            self._out.put(subscription.ended())
        finally:
            self._gateway.unhear(self._view, listener)
        return None

    async def _tell_news(self, listener: Listener) -> None:
        while (news := await listener.news(self._gateway.limits.keep_alive_seconds)) is not None:
            for item in news:
                self._out.put(listening.plain_frame(item))
            await self._out.drained()

    def _fly(self, request: Request, work: Coroutine[Any, Any, None], group: set[asyncio.Task[None]]) -> None:
        """Answer a request in a task. From now on its client can take it back, and then wants no answer.

        Specification, "Cancellation"; the notification may come right behind the request.
        """
        flights, key = self._gateway.flights, (self._who, request.id)
        task = self._spawn(work, group)
        flights.enter(key, lambda: flights.withdraw_task(task))
        task.add_done_callback(lambda _task: flights.leave(key))

    def _spawn(self, work: Coroutine[Any, Any, None], group: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        group.add(task)
        task.add_done_callback(group.discard)
        task.add_done_callback(lambda _task: self._settled())
        return task
