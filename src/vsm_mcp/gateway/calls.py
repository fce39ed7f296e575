"""The way of a call: look up who answers, ask under its own name, bring the answer into the client's era."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError, VsmError
from vsm_mcp.gateway import faults, messages, results
from vsm_mcp.gateway.caller import Back, Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import UNREADABLE, Request, decode_object, encode
from vsm_mcp.gateway.upstream import Upstream
from vsm_mcp.routing.names import closest
from vsm_mcp.routing.table import Route
from vsm_mcp.wire import era

_OURS: Final = frozenset({era.META_PROTOCOL, era.META_CLIENT_INFO, era.META_CLIENT_CAPABILITIES, "progressToken"})
"""Members of a client's ``_meta`` that speak about the hop between it and us, and are written anew for the next."""


class Calls:
    """Requests that a server has to answer. ``timeout`` (seconds) is the most that one may take in all."""

    def __init__(self, upstream: Upstream, timeout: float) -> None:
        self._upstream = upstream
        self._timeout = timeout
        self.methods: Final[dict[str, Callable[[Request, Caller], Awaitable[bytes | Raw]]]] = {
            "tools/call": self._tool,
            "prompts/get": self._prompt,
            "resources/read": self._resource,
            "completion/complete": self._completion,
        }

    async def _tool(self, request: Request, caller: Caller) -> bytes | Raw:
        name = request.text("name")
        table = caller.view.catalogue.table
        route = table.tools.get(name)
        if route is None:
            if name in table.denied:
                raise faults.denied_tool(name)
            raise faults.unknown_tool(name, closest(name, table.tools))
        params = request.params
        params["name"] = Raw(encode(route.name))
        try:
            return await self._ask(route, request, caller)
        except RpcError as error:
            raise faults.passed_on(error, route.server, request.method, modern=caller.modern) from error
        except Fault:
            raise
        except VsmError as error:
            return faults.tool_failure(faults.failure_of(error, route.server), modern=caller.modern)

    async def _prompt(self, request: Request, caller: Caller) -> bytes | Raw:
        name = request.text("name")
        prompts = caller.view.catalogue.table.prompts
        route = prompts.get(name)
        if route is None:
            raise faults.unknown_prompt(name, closest(name, prompts))
        request.params["name"] = Raw(encode(route.name))
        return await self._forward(route, request, caller)

    async def _resource(self, request: Request, caller: Caller) -> bytes | Raw:
        uri = request.text("uri")
        table = caller.view.catalogue.table
        route = table.resource(uri)
        if route is None:
            raise faults.unknown_resource(uri, closest(uri, table.resources), modern=caller.modern)
        request.params["uri"] = Raw(encode(route.name))
        return await self._forward(route, request, caller)

    async def _completion(self, request: Request, caller: Caller) -> bytes | Raw:
        """Ask the server that a reference belongs to (specification, "Completion": ref/prompt, ref/resource)."""
        try:
            reference = decode_object(request.params.get("ref", Raw(b"")))
        except UNREADABLE as error:
            raise Fault(era.INVALID_PARAMS, "completion/complete needs ref, an object") from error
        table = caller.view.catalogue.table
        kind = messages.text_or_none(reference.get("type"))
        member = {"ref/prompt": "name", "ref/resource": "uri"}.get(kind or "")
        target = messages.text_or_none(reference.get(member)) if member else None
        if member is None or target is None:
            raise Fault(era.INVALID_PARAMS, "ref is {type: ref/prompt, name} or {type: ref/resource, uri}")
        if member == "name":
            route = table.prompts.get(target)
            if route is None:
                raise faults.unknown_prompt(target, closest(target, table.prompts))
        else:
            route = table.templates.get(target) or table.resource(target)
            if route is None:
                raise faults.unknown_resource(target, closest(target, table.templates), modern=caller.modern)
        reference[member] = Raw(encode(route.name))
        request.params["ref"] = Raw(encode(reference))
        return await self._forward(route, request, caller)

    async def _forward(self, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        try:
            return await self._ask(route, request, caller)
        except RpcError as error:
            raise faults.passed_on(error, route.server, request.method, modern=caller.modern) from error
        except Fault:
            raise
        except VsmError as error:
            raise faults.failure_fault(faults.failure_of(error, route.server)) from error

    async def _ask(self, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        began = monotonic()
        channel = await self._upstream.connection(route.server, self._timeout)
        params: dict[str, object] = dict(request.params)
        relay: Callable[[str, Raw], None] | None = None
        if request.meta is not None:
            kept = {member: value for member, value in request.meta.items() if member not in _OURS}
            if kept:
                params["_meta"] = kept
            token = request.meta.get("progressToken")
            if token is not None and caller.back is not None:
                relay = _relay(token, caller.back)
        left = self._timeout - (monotonic() - began)
        if left <= 0:
            raise RequestTimeout(f"{route.server} was not ready within {self._timeout:g} s")
        raw = await channel.request(request.method, params, timeout=left, on_notification=relay)
        try:
            return results.bridged(raw, request.method, to_modern=caller.modern, from_modern=channel.era == "modern")
        except ProtocolError as error:
            raise ProtocolError(error.message, "use another tool, or this server without a gateway") from error


def _relay(token: Raw, back: Back) -> Callable[[str, Raw], None]:
    """Return what passes a call's notifications on under the token that the client knows."""

    def relay(method: str, params: Raw) -> None:
        try:
            members = decode_object(params)
        except UNREADABLE:
            return
        if "progressToken" in members:
            members["progressToken"] = token
        back.notify(messages.notification(method, encode(members)))

    return relay
