"""The short way of a request: everything that needs no waiting, and calls of servers that are ready, without a task.

Nothing is decided here that is not decided on the long way (``http.py``): whatever is not plain is left to it, before
anything was done. What it saves is most of what a small call costs (``docs/adr/0003-raw-bytes-on-the-call-path.md``).
"""

from __future__ import annotations

from time import monotonic

from vsm_mcp.gateway import destinations, envelopes, messages, traced
from vsm_mcp.gateway.access import Access
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.bodies import Bodies
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.entrance import Entrance, most_bytes
from vsm_mcp.gateway.errand import Errand
from vsm_mcp.gateway.exchange import Exchange, cancelled
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.head import Head
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.traced import TRACE
from vsm_mcp.gateway.turn import Turn


class QuickLane:
    """Takes a request that is here as a whole; ``entrance`` says who may enter without waiting, and what it sees."""

    def __init__(self, gateway: Gateway, access: Access, bodies: Bodies, entrance: Entrance) -> None:
        self._gateway = gateway
        self._access = access
        self._bodies = bodies
        self._entrance = entrance

    def __call__(self, turn: Turn) -> bool:
        """Answer, now or later; ``False``, and nothing done, for what takes the long way."""
        head, body = turn.head, turn.whole
        if body is None or (head.plain_to is not self and not self._plain(head)):
            return False
        try:
            view = self._entrance.quickly(turn)
        except Refusal:
            return False
        if view is None:
            return False
        exchange = Exchange(self._gateway, view, turn)
        if not self._bodies.hold(len(body), most_bytes(exchange.visit)):
            return False
        if self._take(turn, exchange, body):
            return True
        self._bodies.leave(len(body))
        return False

    def _plain(self, head: Head) -> bool:
        """Whether nothing in a head keeps its request from the short way; the very same one is not judged again."""
        headers = head.fields
        if head.method != "POST" or b"origin" in headers or headers.get(b"content-type") != b"application/json":
            return False
        if self._access.refusal(headers):
            return False
        head.plain_to = self
        return True

    def _take(self, turn: Turn, exchange: Exchange, body: bytes) -> bool:
        """Answer at once, or ask a server that is ready; ``False`` when neither can be."""
        request = messages.plain(body)
        if request is None:
            return False
        try:
            caller = self._caller(request, exchange, turn.head)
            if caller is None:
                return False
            if TRACE in turn.head.fields:
                traced.carry(request, turn.head.fields)
            if request.method not in destinations.METHODS:
                answer = self._gateway.at_once(request, caller)
                if answer is not None:
                    return self._answered(answer, turn, exchange, len(body))
        except Fault:
            return False
        asked = self._gateway.begin(request, caller)
        if asked is None:
            return False
        Passage(self._gateway, asked, exchange, turn, self._bodies).start(len(body))
        return True

    def _answered(self, answer: Answer, turn: Turn, exchange: Exchange, size: int) -> bool:
        if answer.code:
            return False
        exchange.write(answer)
        self._bodies.leave(size)
        if exchange.visit is not None:
            exchange.visit.leave()
        turn.over()
        return True

    def _caller(self, request: Request, exchange: Exchange, head: Head) -> Caller | None:
        view, principal, headers = exchange.view, exchange.principal, head.fields
        if envelopes.is_modern(headers):
            envelopes.check(request, headers, head.pairs)
            envelopes.check_param_headers(request, view, head.pairs)
            return Caller(view, modern=True, back=exchange.back, principal=principal)
        given = headers.get(envelopes.SESSION)
        session = None if given is None else self._gateway.sessions.find(given.decode("latin-1"), monotonic())
        if session is None or not session.is_of(view, principal) or request.method == "initialize":
            return None
        return Caller(view, modern=False, session=session, back=exchange.back, principal=principal)


class Passage(Errand):
    """A call that was made on the short way."""

    __slots__ = ("_bodies", "_exchange", "_size", "_turn")

    def __init__(self, gateway: Gateway, asked: Asked, exchange: Exchange, turn: Turn, bodies: Bodies) -> None:
        super().__init__(gateway, asked)
        self._bodies = bodies
        self._exchange = exchange
        self._size = 0
        self._turn = turn

    def start(self, size: int) -> None:
        """Wait for the answer to a request with a body of ``size`` bytes."""
        self._size = size
        caller = self._asked.caller
        if self._exchange.visit is not None:
            self._exchange.visit.cut = self.give_up
        if caller.session is not None:
            caller.session.busy += 1
        self._turn.on_lost = self.give_up
        self._gateway.vigil.enter(self._exchange)
        self.begin((caller.who, self._asked.request.id) if caller.who else None)

    def withdraw(self) -> None:
        """Give the call up; over HTTP its client gets an answer all the same, or its request would hang."""
        self._exchange.write(cancelled(self._asked.request))
        self.give_up()

    def _say(self, answer: Answer) -> None:
        status = envelopes.STATUS.get(answer.code, 200) if answer.code and self._asked.caller.modern else 200
        self._exchange.write(answer, status)

    def _ended(self) -> None:
        session = self._asked.caller.session
        if session is not None:
            session.busy -= 1
        self._turn.on_lost = None
        self._gateway.vigil.leave(self._exchange)
        self._bodies.leave(self._size)
        if self._exchange.visit is not None:
            self._exchange.visit.leave()
        self._turn.over()
