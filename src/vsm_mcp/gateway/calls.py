"""The way of a call: look up who answers, ask under its own name, bring the answer into the client's era."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import VsmError
from vsm_mcp.gateway import faults, messages
from vsm_mcp.gateway.asking import Asking
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import UNREADABLE, Request, decode_object, encode
from vsm_mcp.routing.names import closest
from vsm_mcp.routing.table import Route
from vsm_mcp.wire import era


class Calls:
    """Requests that a server has to answer: who is asked, and how what goes wrong is told."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
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
            return await self._asking.ask(route, request, caller)
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
            return await self._asking.ask(route, request, caller)
        except Fault:
            raise
        except VsmError as error:
            raise faults.failure_fault(faults.failure_of(error, route.server)) from error
