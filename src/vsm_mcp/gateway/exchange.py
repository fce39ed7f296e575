"""One POST and its answer: as JSON, or as a stream of events when there is more to say than the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from vsm_mcp.gateway import sse
from vsm_mcp.gateway.asgi import JSON, VISIT, Headers, Receive, Send
from vsm_mcp.gateway.caller import Back, Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.messages import Request, fault
from vsm_mcp.gateway.turn import PLAIN_JSON, Turn
from vsm_mcp.gateway.view import View
from vsm_mcp.gateway.visitors import Visit
from vsm_mcp.model.principal import LOCAL
from vsm_mcp.wire import era


class Exchange:
    """What answers one request. ``takes_events`` says whether the client reads event streams.

    Notifications are written at once; those to a client that does not read are dropped, questions and the answer never
    are.
    """

    __slots__ = (
        "_events", "_turn", "gateway", "principal", "takes_events", "view", "visit",
    )  # fmt: skip

    def __init__(self, gateway: Gateway, view: View, turn: Turn) -> None:
        self.gateway = gateway
        self.view = view
        self.visit: Visit | None = turn.noted(VISIT)
        self.principal = LOCAL if self.visit is None else self.visit.principal
        self.takes_events = turn.head.takes_events
        self._turn = turn
        self._events = False

    @property
    def receive(self) -> Receive:
        """What the request goes on with."""
        return self._turn.receive

    @property
    def send(self) -> Send:
        """Where an answer goes that is written in parts."""
        return self._turn.send

    @property
    def back(self) -> Back | None:
        """The way back to the client before the answer, if it reads event streams."""
        return self if self.takes_events else None

    # --- writing ---------------------------------------------------------------------------------------------------

    def notify(self, message: bytes) -> None:
        """Send a message before the answer, which becomes a stream of events by it."""
        if not self._turn.clogged:
            self.put(message)

    def put(self, message: bytes) -> None:
        """Send one that is waited for."""
        self._event(sse.event(message))

    def ping(self) -> None:
        """Send a comment, so that nobody on the way takes the silence for the end."""
        if self.takes_events and not self._turn.clogged:
            self._event(sse.PING)

    def write(self, answer: Answer, status: int = 200, headers: Headers = ()) -> None:
        """Send the answer, as the last event if a stream has begun."""
        if self._events or (not self._turn.head.takes_json and status == 200 and not headers):
            self._turn.stream(sse.event(answer.body), sse.HEADERS, last=True)
        else:
            self._turn.reply(status, answer.body, [JSON, *headers] if headers else PLAIN_JSON)

    async def finish(self, answer: Answer, status: int = 200, headers: Headers = ()) -> None:
        """Send the answer, and wait until the client has read most of it."""
        self.write(answer, status, headers)
        await self._turn.drained()

    def _event(self, data: bytes) -> None:
        self._events = True
        self._turn.stream(data, sse.HEADERS)

    # --- asking, and being told when the client leaves -------------------------------------------------------------

    async def ask(self, request: Request, caller: Caller) -> Answer:
        """Answer with the help of a server, giving the call up when the client leaves or takes it back."""
        return await self.watched(request, caller, self.gateway.answer(request, caller))

    async def watched(self, request: Request, caller: Caller, answering: Awaitable[Answer]) -> Answer:
        """Await the answer, unless the client leaves or takes its request back."""
        flights, task = self.gateway.flights, asyncio.current_task()

        def withdraw() -> None:
            flights.withdraw_task(task)

        key = (caller.who, request.id) if caller.who else None
        if key is not None:
            flights.enter(key, withdraw)
        self._turn.on_lost = withdraw
        self.gateway.vigil.enter(self)
        try:
            if self._turn.gone:
                withdraw()
            return await answering
        except asyncio.CancelledError:
            if not flights.was_withdrawn(task):
                raise
            return cancelled(request)
        finally:
            self._turn.on_lost = None
            self.gateway.vigil.leave(self)
            if key is not None:
                flights.leave(key)


def cancelled(request: Request) -> Answer:
    """Return the answer to a request that its client took back: over HTTP it would wait for ever otherwise."""
    gone = Fault(era.INTERNAL_ERROR, "the request was cancelled by its client")
    return Answer(fault(request.id, gone), gone.rpc_code)
