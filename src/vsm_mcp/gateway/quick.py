"""The short way of a request: everything that needs no waiting, and calls of servers that are ready, without a task.

Nothing is decided here that is not decided on the long way (``http.py``): whatever is not plain is left to it, before
anything was done. What it saves is most of what a small call costs (``docs/adr/0003-raw-bytes-on-the-call-path.md``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from time import monotonic

from vsm_mcp.gateway import envelopes, messages
from vsm_mcp.gateway.access import Access
from vsm_mcp.gateway.asgi import WHOLE
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.bodies import Bodies
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.entrance import Entrance, most_bytes
from vsm_mcp.gateway.exchange import Exchange, cancelled
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.turn import Turn
from vsm_mcp.gateway.view import View

log = logging.getLogger(__name__)


class QuickLane:
    """Takes a request that is here as a whole; ``entrance`` says who may enter without waiting, and what it sees."""

    def __init__(self, gateway: Gateway, access: Access, bodies: Bodies, entrance: Entrance) -> None:
        self._gateway = gateway
        self._access = access
        self._bodies = bodies
        self._entrance = entrance

    def __call__(self, turn: Turn) -> bool:
        """Answer, now or later; ``False``, and nothing done, for what takes the long way."""
        scope = turn.scope
        headers = turn.head.fields
        if turn.head.method != "POST" or b"origin" in headers or self._access.refusal(headers):
            return False
        body: bytes = scope[WHOLE]
        try:
            view = self._entrance.quickly(scope, headers)
            self._bodies.enter()
        except Refusal:
            return False
        if view is None or not self._bodies.whole(headers, body, most_bytes(scope)):
            self._bodies.leave(0)
            return False
        passage = Passage(self._gateway, view, headers, turn, self._bodies, len(body))
        if passage.begin(body):
            return True
        self._bodies.leave(len(body))
        return False


class Passage:
    """One request on its short way."""

    __slots__ = ("_asked", "_bodies", "_exchange", "_gateway", "_headers", "_key", "_size", "_task", "_turn", "_view")

    def __init__(
        self, gateway: Gateway, view: View, headers: Mapping[bytes, bytes], turn: Turn, bodies: Bodies, size: int
    ) -> None:
        self._gateway = gateway
        self._view = view
        self._headers = headers
        self._turn = turn
        self._bodies = bodies
        self._size = size
        self._key: tuple[str, bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked: Asked

    def begin(self, body: bytes) -> bool:
        """Answer at once, or ask a server that is ready; ``False`` when neither can be."""
        turn = self._turn
        exchange = self._exchange = Exchange(self._gateway, self._view, turn.scope, turn.receive, turn.send)
        try:
            message = messages.read(body)
            if message.method is None or message.id is None:
                return False
            request = messages.request_of(message)
            caller = self._caller(request, exchange)
            if caller is None:
                return False
            answer = self._gateway.at_once(request, caller)
            if answer is None:
                return self._ask(request, caller)
        except Fault:
            return False
        if answer.code:
            return False
        exchange.write(answer)
        self._leave()
        return True

    def _caller(self, request: Request, exchange: Exchange) -> Caller | None:
        if envelopes.is_modern(self._headers):
            pairs = self._turn.scope["headers"]
            envelopes.check(request, self._headers, pairs)
            envelopes.check_param_headers(request, self._view, pairs)
            return Caller(self._view, modern=True, back=exchange.back, principal=exchange.principal)
        given = self._headers.get(envelopes.SESSION)
        session = None if given is None else self._gateway.sessions.find(given.decode("latin-1"), monotonic())
        principal = exchange.principal
        if session is None or not session.is_of(self._view, principal) or request.method == "initialize":
            return None
        return Caller(self._view, modern=False, session=session, back=exchange.back, principal=principal)

    def _ask(self, request: Request, caller: Caller) -> bool:
        asked = self._gateway.begin(request, caller)
        if asked is None:
            return False
        self._asked = asked
        if self._exchange.visit is not None:
            self._exchange.visit.cut = self._lost
        if caller.session is not None:
            caller.session.busy += 1
        if caller.who:
            self._key = (caller.who, request.id)
            self._gateway.flights.enter(self._key, self._withdraw)
        self._turn.on_lost = self._lost
        self._gateway.vigil.enter(self._exchange)
        asked.begun.when_settled(self._settled)
        return True

    # --- what may happen then ----------------------------------------------------------------------------------------

    def _settled(self) -> None:
        """Answer with the plain result that arrived; anything else (a question, an error) takes a task."""
        asked = self._asked
        body = asked.plain()
        if body is None:
            self._task = asyncio.get_running_loop().create_task(self._finish())
            self._task.add_done_callback(self._finished)
            return
        asked.close()
        self._exchange.write(Answer(messages.result(asked.request.id, body)))
        self._end()

    async def _finish(self) -> None:
        try:
            answer = await self._gateway.finish(self._asked)
            status = envelopes.STATUS.get(answer.code, 200) if self._asked.caller.modern else 200
            self._exchange.write(answer, status)
        except Exception:  # a fault of ours costs one request, not the gateway
            log.exception("a request was not answered")

    def _finished(self, task: asyncio.Task[None]) -> None:
        """The task is over; one that was cancelled may never have begun."""
        if task.cancelled():
            self._asked.close()
        self._end()

    def _lost(self) -> None:
        """The client has gone."""
        if self._task is not None:
            self._task.cancel()
        else:
            self._asked.begun.when_settled(None)
            self._asked.close()
            self._end()

    def _withdraw(self) -> None:
        """The client wants no answer any more; over HTTP it gets one all the same, or its request would hang."""
        self._exchange.write(cancelled(self._asked.request))
        self._lost()

    def _end(self) -> None:
        session = self._asked.caller.session
        if session is not None:
            session.busy -= 1
        if self._key is not None:
            self._gateway.flights.leave(self._key)
        self._turn.on_lost = None
        self._gateway.vigil.leave(self._exchange)
        self._leave()

    def _leave(self) -> None:
        self._bodies.leave(self._size)
        if self._exchange.visit is not None:
            self._exchange.visit.leave()
        self._turn.over()
