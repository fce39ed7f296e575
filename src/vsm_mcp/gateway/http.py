"""The endpoint over HTTP: ``/mcp`` for both eras, as an ASGI application without a framework.

Which era a request belongs to is decided by its ``MCP-Protocol-Version`` header, as the reference implementations
do: absent or one of the handshake versions means legacy, anything else modern.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from vsm_mcp.gateway import cors, envelopes, messages, traced
from vsm_mcp.gateway.access import FORBIDDEN, Access
from vsm_mcp.gateway.asgi import CLOSE, TUNNEL, TURN, VISIT, App, Headers, Receive, Scope, Send, respond
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.bodies import Bodies
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.entrance import PATH, Entrance, most_bytes, principal_of, profile_of, stay
from vsm_mcp.gateway.envelopes import check_param_headers, is_modern
from vsm_mcp.gateway.exchange import Exchange
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.http_sse import MESSAGES, STREAM, OldPair
from vsm_mcp.gateway.legacy import Legacy
from vsm_mcp.gateway.listening import Subscription, listen
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.quick import QuickLane
from vsm_mcp.gateway.refusals import Refusal, overloaded, refuse
from vsm_mcp.gateway.view import View
from vsm_mcp.wire import era
from vsm_mcp.wire.envelope import Message

_ALLOW_MODERN: Final = (b"allow", b"POST")
_ALLOW_STREAM: Final = (b"allow", b"GET")
_ALLOW_LEGACY: Final = (b"allow", b"GET, POST, DELETE")

Fields = Mapping[bytes, bytes]
Serve = Callable[[str, Scope, Fields, Receive, Send], Awaitable[None]]


class Endpoint:
    """The ASGI application. ``beside`` serves every path but ours; host and origin are checked for it too.

    With an ``authentication`` every request needs a key or a token but one for the metadata that leads to tokens, and
    for a path that ``beside.public(path)`` says is open; what is beside needs a key that may ``watch``. Paths that
    ``beside.upgrades(path)`` names speak WebSocket, and those that ``beside.serves(path)`` does not know are not there.
    """

    def __init__(
        self,
        gateway: Gateway,
        access: Access,
        beside: App | None = None,
        authentication: Authentication | None = None,
    ) -> None:
        self._gateway = gateway
        self._access = access
        self._beside = beside
        self._serves: Callable[[str], bool] = getattr(beside, "serves", lambda _path: True)
        self._public: Callable[[str], bool] | None = getattr(beside, "public", None)
        self.upgrades: Callable[[str], bool] = getattr(beside, "upgrades", lambda _path: False)
        self._entrance = Entrance(gateway, authentication)
        self._legacy = Legacy(gateway)
        limits = gateway.limits
        self._bodies = Bodies(
            gateway.settings.max_body_bytes, limits.buffered_bytes, limits.body_seconds, limits.requests
        )
        self._pair = OldPair(gateway, limits.listeners)
        self.quick = QuickLane(gateway, access, self._bodies, self._entrance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._not_http(scope, receive, send)
        headers: Fields = dict(scope["headers"])
        try:
            self._check_access(headers)
            if self._access.shares_with(headers):
                scope[TURN].fields = cors.shared(headers[b"origin"])
                if cors.is_preflight(scope["method"], headers):
                    return await respond(send, 200, headers=cors.preflight(headers))
            path = scope["path"]
            for root, serve in ((PATH, self._mcp), (STREAM, self._stream), (MESSAGES, self._take)):
                profile = profile_of(path, root)
                if profile is not None:
                    return await self._inside(profile, serve, scope, headers, receive, send)
            return await self._elsewhere(scope, headers, receive, send)
        except Refusal as refusal:
            self._gateway.refused[refusal.status] += 1
            return await refuse(send, refusal)

    async def _inside(
        self, profile: str, serve: Serve, scope: Scope, headers: Fields, receive: Receive, send: Send
    ) -> None:
        visit = await self._entrance.enter(profile, scope, headers)
        try:
            await serve(profile, scope, headers, receive, send)
        finally:
            if visit is not None:
                visit.leave()

    async def _elsewhere(self, scope: Scope, headers: Fields, receive: Receive, send: Send) -> None:
        authentication, path = self._entrance.authentication, scope["path"]
        document = authentication.document(path) if authentication is not None else None
        if document is not None:
            if scope["method"] not in {"GET", "HEAD"}:
                raise Refusal(405, f"{scope['method']} is not used", _ALLOW_STREAM)
            return await respond(send, 200, document)
        if self._beside is None or not self._serves(path):
            raise Refusal(404, f"nothing is served here but {PATH}")
        if TUNNEL in scope and not self._access.reads(headers):
            raise Refusal(403, "this Origin may not read here; see [gateway] allowed_origins", CLOSE)
        if authentication is None or (self._public is not None and self._public(path)):
            return await self._beside(scope, receive, send)
        visit = await self._entrance.enter("", scope, headers)
        try:
            if not principal_of(scope).grant.watch:
                raise Refusal(403, "this key may not watch: vsm-mcp key create NAME --watch makes one that may")
            stay(scope)
            return await self._beside(scope, receive, send)
        finally:
            if visit is not None:
                visit.leave()

    def _check_access(self, headers: Fields) -> None:
        status = self._access.refusal(headers)
        if status == FORBIDDEN:
            raise Refusal(status, "this Origin is not allowed; see [gateway] allowed_origins", CLOSE)
        if status:
            raise Refusal(status, "this Host is not served here; see [gateway] allowed_hosts", CLOSE)

    async def _not_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._beside is not None and self._entrance.authentication is None:
            return await self._beside(scope, receive, send)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        return None

    async def _mcp(self, profile: str, scope: Scope, headers: Fields, receive: Receive, send: Send) -> None:
        view, verb = self._entrance.view(profile, scope), scope["method"]
        if verb == "POST":
            return await self._post(headers, view, scope, receive, send)
        if is_modern(headers):
            raise Refusal(405, f"{verb} is not used in protocol {era.MODERN}", _ALLOW_MODERN)
        if verb == "GET":
            stay(scope)
            return await self._legacy.stream(headers, view, receive, send, principal_of(scope))
        if verb == "DELETE":
            return await self._legacy.end(headers, view, send, principal_of(scope))
        raise Refusal(405, f"{verb} is not used", _ALLOW_LEGACY)

    async def _post(self, headers: Fields, view: View, scope: Scope, receive: Receive, send: Send) -> None:
        self._bodies.enter()
        size = 0
        try:
            body = await self._bodies.read(headers, scope, receive, most_bytes(scope.get(VISIT)))
            if body is not None:
                size = len(body)
                exchange = Exchange(self._gateway, view, scope[TURN])
                await self._message(body, headers, scope["headers"], exchange)
        finally:
            self._bodies.leave(size)

    async def _stream(self, profile: str, scope: Scope, _headers: Fields, receive: Receive, send: Send) -> None:
        view = self._entrance.view(profile, scope)
        if scope["method"] != "GET":
            raise Refusal(405, f"{STREAM} is for GET", _ALLOW_STREAM)
        stay(scope)
        return await self._pair.stream(view, receive, send, principal_of(scope))

    async def _take(self, profile: str, scope: Scope, headers: Fields, receive: Receive, send: Send) -> None:
        if profile or scope["method"] != "POST":
            raise Refusal(404, f"nothing is served here but POST {MESSAGES}")
        peer = self._pair.find(scope, principal_of(scope))
        self._bodies.enter()
        body = None
        try:
            body = await self._bodies.read(headers, scope, receive, most_bytes(scope.get(VISIT)))
            if body is not None:
                await self._pair.take(peer, body, send)
        finally:
            self._bodies.leave(len(body or b""))

    async def _message(self, body: bytes, headers: Fields, pairs: Headers, exchange: Exchange) -> None:
        ident = messages.NO_ID
        try:
            message = messages.read(body)
            if message.method is None or message.id is None:
                return await self._one_way(message, headers, exchange)
            ident = bytes(message.id)
            request = messages.request_of(message)
            if not is_modern(headers):
                traced.carry(request, headers)
                return await self._legacy.request(request, headers, pairs, exchange)
            envelopes.check(request, headers, pairs)
            check_param_headers(request, exchange.view, pairs)
            traced.carry(request, headers)
            return await self._modern(request, exchange)
        except Fault as error:
            answer = Answer(messages.fault(ident, error), error.rpc_code)
            return await exchange.finish(answer, envelopes.STATUS.get(error.rpc_code, 400))

    async def _one_way(self, message: Message, headers: Fields, exchange: Exchange) -> None:
        if not is_modern(headers):
            return await self._legacy.one_way(message, headers, exchange)
        if message.method is None:
            raise Fault(era.INVALID_REQUEST, f"clients send no responses in protocol {era.MODERN}")
        envelopes.check_version(headers[envelopes.VERSION].decode("latin-1"))
        return await respond(exchange.send, 202)

    async def _modern(self, request: Request, exchange: Exchange) -> None:
        caller = Caller(exchange.view, modern=True, back=exchange.back, principal=exchange.principal)
        answer = self._gateway.at_once(request, caller)
        if answer is None:
            if request.method == "subscriptions/listen":
                return await self._listen(request, exchange, caller)
            answer = await exchange.ask(request, caller)
        return await exchange.finish(answer, envelopes.STATUS.get(answer.code, 200) if answer.code else 200)

    async def _listen(self, request: Request, exchange: Exchange, caller: Caller) -> None:
        if not exchange.takes_events:
            raise Refusal(406, "subscriptions/listen is answered with text/event-stream", ident=request.id)
        if exchange.view.changes.full:
            raise overloaded("too many subscriptions are open")
        if exchange.visit is not None:
            exchange.visit.stay()
        await listen(exchange, Subscription(request), caller)
