"""The handshake versions over HTTP: sessions, notifications, the GET stream and DELETE.

Specification 2025-11-25, "Transports: Streamable HTTP"; the three versions before it differ in nothing that shows here
but batches (2025-03-26), which are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic

from vsm_mcp.gateway import envelopes, listening, sse
from vsm_mcp.gateway.asgi import Headers, Receive, Send, respond
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.envelopes import SESSION
from vsm_mcp.gateway.exchange import Exchange
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.messages import NO_ID, Request
from vsm_mcp.gateway.refusals import RETRY, Refusal, overloaded
from vsm_mcp.gateway.sessions import Session
from vsm_mcp.gateway.view import View
from vsm_mcp.model.principal import LOCAL, Principal
from vsm_mcp.wire import era
from vsm_mcp.wire.envelope import Message

Fields = Mapping[bytes, bytes]


class Legacy:
    """Serves clients that said ``initialize``."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def request(self, request: Request, headers: Fields, pairs: Headers, exchange: Exchange) -> None:
        """Answer a request; raises :class:`Refusal` and :class:`Fault`."""
        if request.method == "initialize":
            return await self._initialize(request, exchange)
        if SESSION not in headers and request.meta is not None and era.META_PROTOCOL in request.meta:
            envelopes.check(request, headers, pairs)  # a modern request without its header gets told so
        session = self._session(headers, exchange.view, request.id, exchange.principal)
        session.busy += 1
        try:
            caller = Caller(
                session.view, modern=False, session=session, back=exchange.back, principal=exchange.principal
            )
            answer = self._gateway.at_once(request, caller)
            if answer is None:
                answer = await exchange.ask(request, caller)
            return await exchange.finish(answer)
        finally:
            session.busy -= 1

    async def one_way(self, message: Message, headers: Fields, exchange: Exchange) -> None:
        """Take a notification or a response: 202, or :class:`Refusal` when there is no such session."""
        session = self._session(headers, exchange.view, NO_ID, exchange.principal)
        if message.method is None:
            session.questions.answered(message)
        elif message.method == "notifications/cancelled":
            self._gateway.cancelled(session.ident, message.params)
        elif message.method == "notifications/roots/list_changed":
            self._gateway.roots_changed(session)
        await respond(exchange.send, 202)

    async def stream(
        self, headers: Fields, view: View, receive: Receive, send: Send, principal: Principal = LOCAL
    ) -> None:
        """Serve the stream of a session (GET); a newer one takes the place of an older one."""
        if b"text/event-stream" not in headers.get(b"accept", b"").lower():
            raise Refusal(406, "a GET is answered with text/event-stream: say so in Accept")
        session = self._session(headers, view, NO_ID, principal)
        if view.changes.full:
            raise overloaded("too many streams are open")
        listener = self._gateway.hear(session)
        session.busy += 1
        try:
            await sse.begin(send)
            await sse.write(send, sse.PING)
            silence = self._gateway.limits.keep_alive_seconds
            if await listening.stream(listener, listening.plain_frame, silence, receive, send):
                await sse.write(send, b"", last=True)
        finally:
            session.busy -= 1
            if session.listener is listener:
                self._gateway.pause_hearing(session)

    async def end(self, headers: Fields, view: View, send: Send, principal: Principal = LOCAL) -> None:
        """End a session (DELETE): its stream ends, its calls in flight are given up."""
        session = self._session(headers, view, NO_ID, principal)
        self._gateway.sessions.close(session.ident)
        self._gateway.flights.withdraw_all(session.ident)
        await respond(send, 200)

    async def _initialize(self, request: Request, exchange: Exchange) -> None:
        answer, session = self._gateway.initialize(request, exchange.view, monotonic(), exchange.principal)
        if session is not None:
            return await exchange.finish(answer, 200, [(SESSION, session.ident.encode())])
        full = answer.code == era.INTERNAL_ERROR
        return await exchange.finish(answer, 503 if full else 200, [RETRY] if full else [])

    def _session(self, headers: Fields, view: View, ident: bytes, principal: Principal) -> Session:
        """Return the session that is named; 400 without a name, 404 for one that is not there for this client.

        A session belongs to the view and the principal that it was opened with.
        """
        given = headers.get(SESSION)
        if given is None:
            raise Refusal(400, "Mcp-Session-Id is missing: initialize gives one", ident=ident)
        now = monotonic()
        session = self._gateway.sessions.find(given.decode("latin-1"), now)
        if session is None or not session.is_of(view, principal):
            raise Refusal(404, "the session has ended or never was: initialize again", ident=ident)
        return session
