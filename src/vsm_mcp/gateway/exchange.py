"""One POST and its answer: as JSON, or as a stream of events when there is more to say than the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from vsm_mcp.gateway.asgi import TASK, Headers, Receive, Scope, Send, respond, until_disconnected
from vsm_mcp.gateway.caller import Back, Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.messages import Request, fault
from vsm_mcp.gateway.sse import EventReply
from vsm_mcp.gateway.view import View
from vsm_mcp.wire import era


class Exchange:
    """What answers one request. ``takes_events`` says whether the client reads event streams."""

    __slots__ = ("_events", "_json", "_task", "_watch", "gateway", "receive", "send", "takes_events", "view")

    def __init__(
        self, gateway: Gateway, view: View, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.gateway = gateway
        self.view = view
        self._task: asyncio.Task[object] | None = scope.get(TASK)
        self.receive = receive
        self.send = send
        accept = headers.get(b"accept", b"*/*").lower()
        self.takes_events = b"text/event-stream" in accept or b"*/*" in accept or b"text/*" in accept
        # Whoever accepts neither gets JSON all the same: it is what every client of the protocol can read.
        self._json = b"json" in accept or b"*/*" in accept or not self.takes_events
        self._events: EventReply | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def back(self) -> Back | None:
        """The way back to the client before the answer, if it reads event streams."""
        return self if self.takes_events else None

    async def ask(self, request: Request, caller: Caller) -> Answer:
        """Answer with the help of a server, giving the call up when the client leaves or takes it back."""
        task = self._task = self._task or asyncio.current_task()
        flights, vigil = self.gateway.flights, self.gateway.vigil
        key = (caller.who, request.id) if caller.who else None
        if key is not None and task is not None:
            flights.enter(key, task)
        vigil.enter(self)
        try:
            return await self.gateway.answer(request, caller)
        except asyncio.CancelledError:
            if not flights.was_withdrawn(task):
                await self._abandon()
                raise
            gone = Fault(era.INTERNAL_ERROR, "the request was cancelled by its client")
            return Answer(fault(request.id, gone), gone.rpc_code)
        finally:
            vigil.leave(self)
            if self._watch is not None:
                self._watch.cancel()
            if key is not None:
                flights.leave(key)

    async def finish(self, answer: Answer, status: int = 200, headers: Headers = ()) -> None:
        """Send the answer, as the last event if a stream has begun."""
        if self._events is not None:
            return await self._finish_events(answer)
        if not self._json and status == 200 and not headers:
            return await EventReply(self.send).finish(answer.body)
        return await respond(self.send, status, answer.body, headers)

    async def _finish_events(self, answer: Answer) -> None:
        events = self._events
        if events is None:
            return
        try:
            await events.finish(answer.body)
        except asyncio.CancelledError:
            await events.abandon()
            raise

    async def _abandon(self) -> None:
        if self._events is not None:
            await self._events.abandon()

    def notify(self, message: bytes) -> None:
        """Send a notification before the answer, which becomes a stream by it."""
        if self._events is None:
            self._events = EventReply(self.send)
        self._events.push(message)

    def watch(self) -> None:
        """Watch for the client's leaving from now on."""
        if self._task is not None:
            self._watch = asyncio.get_running_loop().create_task(self._watch_client(self._task))

    async def _watch_client(self, task: asyncio.Task[object]) -> None:
        """Give the call up when its client leaves; meanwhile keep a silent connection alive."""
        gone = asyncio.get_running_loop().create_task(until_disconnected(self.receive))
        try:
            while not (await asyncio.wait({gone}, timeout=self.gateway.limits.keep_alive_seconds))[0]:
                if self.takes_events:
                    if self._events is None:
                        self._events = EventReply(self.send)
                    self._events.ping()
            if self._events is not None:
                await self._events.abandon()
            self.gateway.flights.withdraw_task(task)
        finally:
            gone.cancel()
