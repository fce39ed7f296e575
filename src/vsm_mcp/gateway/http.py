"""The endpoint over HTTP: ``/mcp`` for both eras, as an ASGI application without a framework.

Which era a request belongs to is decided by its ``MCP-Protocol-Version`` header, as the reference implementations
do: absent or one of the handshake versions means legacy, anything else modern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vsm_mcp.gateway import envelopes, messages
from vsm_mcp.gateway.access import FORBIDDEN, Access
from vsm_mcp.gateway.asgi import CLOSE, App, Headers, Receive, Scope, Send, respond
from vsm_mcp.gateway.bodies import Bodies
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.exchange import Exchange
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.gateway.http_sse import MESSAGES, STREAM, OldPair
from vsm_mcp.gateway.legacy import Legacy
from vsm_mcp.gateway.listening import Subscription, listen
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.param_headers import PREFIX, disagreement
from vsm_mcp.gateway.refusals import Refusal, overloaded, refuse
from vsm_mcp.gateway.view import View
from vsm_mcp.wire import era
from vsm_mcp.wire.envelope import Message

PATH: Final = "/mcp"
_LEGACY: Final = frozenset(version.encode() for version in era.HANDSHAKE)
_ALLOW_MODERN: Final = (b"allow", b"POST")
_ALLOW_LEGACY: Final = (b"allow", b"GET, POST, DELETE")

Fields = Mapping[bytes, bytes]


class Endpoint:
    """The ASGI application. ``beside`` serves every path but ``/mcp``; host and origin are checked for it too."""

    def __init__(self, gateway: Gateway, access: Access, beside: App | None = None) -> None:
        self._gateway = gateway
        self._access = access
        self._beside = beside
        self._legacy = Legacy(gateway)
        limits = gateway.limits
        self._bodies = Bodies(gateway.settings.max_body_bytes, limits.buffered_bytes, limits.body_seconds)
        self._pair = OldPair(gateway, limits.listeners)
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._not_http(scope, receive, send)
        headers: Fields = dict(scope["headers"])
        try:
            self._check_access(headers)
            view = self._view(scope["path"], PATH)
            if view is not None:
                return await self._mcp(scope, headers, view, receive, send)
            if scope["path"].startswith((STREAM, MESSAGES)):
                return await self._old_pair(scope, headers, receive, send)
            if self._beside is None:
                raise Refusal(404, f"nothing is served here but {PATH}")
        except Refusal as refusal:
            return await refuse(send, refusal)
        return await self._beside(scope, receive, send)

    def _view(self, path: str, root: str) -> View | None:
        """Return what ``ROOT`` or ``ROOT/PROFILE`` shows; ``None`` for any other path. 404 for an unknown profile."""
        if path == root:
            return self._gateway.view
        if not path.startswith(f"{root}/"):
            return None
        profile = path[len(root) + 1 :]
        view = self._gateway.find_view(profile)
        if view is None:
            raise Refusal(404, f"there is no profile {profile[:100]!r}")
        return view

    def _check_access(self, headers: Fields) -> None:
        status = self._access.refusal(headers)
        if status == FORBIDDEN:
            raise Refusal(status, "this Origin is not allowed; see [gateway] allowed_origins", CLOSE)
        if status:
            raise Refusal(status, "this Host is not served here; see [gateway] allowed_hosts", CLOSE)

    async def _not_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._beside is not None:
            return await self._beside(scope, receive, send)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        return None

    async def _mcp(self, scope: Scope, headers: Fields, view: View, receive: Receive, send: Send) -> None:
        verb = scope["method"]
        if verb == "POST":
            return await self._post(headers, view, scope, receive, send)
        if _is_modern(headers):
            raise Refusal(405, f"{verb} is not used in protocol {era.MODERN}", _ALLOW_MODERN)
        if verb == "GET":
            return await self._legacy.stream(headers, view, receive, send)
        if verb == "DELETE":
            return await self._legacy.end(headers, view, send)
        raise Refusal(405, f"{verb} is not used", _ALLOW_LEGACY)

    async def _post(self, headers: Fields, view: View, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= self._gateway.limits.requests:
            raise overloaded("too many requests are open", CLOSE)
        self._open += 1
        size = 0
        try:
            body = await self._bodies.read(headers, scope, receive)
            if body is not None:
                size = len(body)
                exchange = Exchange(self._gateway, view, headers, scope, receive, send)
                await self._message(body, headers, scope["headers"], exchange)
        finally:
            self._open -= 1
            self._bodies.release(size)

    async def _old_pair(self, scope: Scope, headers: Fields, receive: Receive, send: Send) -> None:
        verb, path = scope["method"], scope["path"]
        view = self._view(path, STREAM)
        if view is not None and verb == "GET":
            return await self._pair.stream(view, receive, send)
        if path != MESSAGES or verb != "POST":
            raise Refusal(404 if view is None else 405, f"nothing is served here but GET {STREAM} and POST {MESSAGES}")
        peer = self._pair.find(scope)
        body = await self._bodies.read(headers, scope, receive)
        if body is not None:
            self._bodies.release(len(body))
            await self._pair.take(peer, body, send)
        return None

    async def _message(self, body: bytes, headers: Fields, pairs: Headers, exchange: Exchange) -> None:
        ident = messages.NO_ID
        try:
            message = messages.read(body)
            if message.method is None or message.id is None:
                return await self._one_way(message, headers, exchange)
            ident = bytes(message.id)
            request = messages.request_of(message)
            if not _is_modern(headers):
                return await self._legacy.request(request, headers, pairs, exchange)
            envelopes.check(request, headers, pairs)
            _check_param_headers(request, exchange.view, pairs)
            return await self._modern(request, exchange)
        except Fault as error:
            answer = Answer(messages.fault(ident, error), error.rpc_code)
            return await exchange.finish(answer, envelopes.STATUS.get(error.rpc_code, 400))

    async def _one_way(self, message: Message, headers: Fields, exchange: Exchange) -> None:
        if not _is_modern(headers):
            return await self._legacy.one_way(message, headers, exchange)
        if message.method is None:
            raise Fault(era.INVALID_REQUEST, f"clients send no responses in protocol {era.MODERN}")
        envelopes.check_version(headers[envelopes.VERSION].decode("latin-1"))
        return await respond(exchange.send, 202)

    async def _modern(self, request: Request, exchange: Exchange) -> None:
        caller = Caller(exchange.view, modern=True, back=exchange.back)
        answer = self._gateway.at_once(request, caller)
        if answer is None:
            if request.method == "subscriptions/listen":
                return await self._listen(request, exchange)
            answer = await exchange.ask(request, caller)
        return await exchange.finish(answer, envelopes.STATUS.get(answer.code, 200) if answer.code else 200)

    async def _listen(self, request: Request, exchange: Exchange) -> None:
        if not exchange.takes_events:
            raise Refusal(406, "subscriptions/listen is answered with text/event-stream", ident=request.id)
        if exchange.view.changes.full:
            raise overloaded("too many subscriptions are open")
        await listen(exchange, Subscription(request))


def _check_param_headers(request: Request, view: View, pairs: Headers) -> None:
    if request.method != "tools/call" or not view.catalogue.rules:
        return
    rules = view.catalogue.rules.get(messages.text_or_none(request.params.get("name")) or "")
    if rules:
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if name.startswith(PREFIX.encode()):
                given.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if view.catalogue.searching:  # a client that was not given the definition knows of no header: none is missed
            rules = tuple(rule for rule in rules if rule.header in given)
        wrong = disagreement(rules, request.params.get("arguments"), given)
        if wrong:
            raise Fault(era.HEADER_MISMATCH, wrong)


def _is_modern(headers: Fields) -> bool:
    version = headers.get(envelopes.VERSION)
    return version is not None and version not in _LEGACY
