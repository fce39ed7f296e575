"""Who is asked for a request: looked up in the routing table of the caller's view; pure.

The request is changed on the way: from here on it names things as the server does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Raw

from vsm_mcp.gateway import faults, messages
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, decode_object, encode
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.routing.names import closest
from vsm_mcp.routing.table import Route, Table
from vsm_mcp.wire import era

_REFERRED: Final = {"ref/prompt": "name", "ref/resource": "uri"}


def find(request: Request, caller: Caller) -> Route:
    """Return who answers. Raises :class:`Fault` for what nobody serves, and for methods that no server is asked."""
    finder = _FINDERS.get(request.method)
    if finder is None:
        raise Fault(era.METHOD_NOT_FOUND, f"unknown method: {request.method[:200]}")
    return finder(request, caller)


def _tool(request: Request, caller: Caller) -> Route:
    name = request.text("name")
    table = caller.view.catalogue.table
    route = table.tools.get(name)
    if route is None:
        if name in table.denied:
            raise faults.denied_tool(name)
        _refuse_held(ItemKind.TOOL, name, table)
        raise faults.unknown_tool(name, closest(name, table.tools))
    request.name = route.name
    return route


def _prompt(request: Request, caller: Caller) -> Route:
    name = request.text("name")
    table = caller.view.catalogue.table
    prompts = table.prompts
    route = prompts.get(name)
    if route is None:
        _refuse_held(ItemKind.PROMPT, name, table)
        raise faults.unknown_prompt(name, closest(name, prompts))
    request.name = route.name
    return route


def _resource(request: Request, caller: Caller) -> Route:
    uri = request.text("uri")
    table = caller.view.catalogue.table
    route = table.resource(uri)
    if (held := table.held_resource(uri, route)) is not None:
        raise faults.frozen_item("resource", uri, held.server)
    if route is None:
        raise faults.unknown_resource(uri, closest(uri, table.resources), modern=caller.modern)
    request.params["uri"] = Raw(encode(route.name))
    return route


def _completion(request: Request, caller: Caller) -> Route:
    """Find the server that a reference belongs to (specification, "Completion": ref/prompt, ref/resource)."""
    try:
        reference = decode_object(request.params.get("ref", Raw(b"")))
    except UNREADABLE as error:
        raise Fault(era.INVALID_PARAMS, "completion/complete needs ref, an object") from error
    table = caller.view.catalogue.table
    member = _REFERRED.get(messages.text_or_none(reference.get("type")) or "")
    target = messages.text_or_none(reference.get(member)) if member else None
    if member is None or target is None:
        raise Fault(era.INVALID_PARAMS, "ref is {type: ref/prompt, name} or {type: ref/resource, uri}")
    if member == "name":
        route = table.prompts.get(target)
        if route is None:
            _refuse_held(ItemKind.PROMPT, target, table)
            raise faults.unknown_prompt(target, closest(target, table.prompts))
    else:
        route = table.templates.get(target) or table.resource(target)
        if target not in table.templates and (held := table.held_resource(target, route)) is not None:
            raise faults.frozen_item("template", target, held.server)
        if route is None:
            raise faults.unknown_resource(target, closest(target, table.templates), modern=caller.modern)
    reference[member] = Raw(encode(route.name))
    request.params["ref"] = Raw(encode(reference))
    return route


def _refuse_held(kind: ItemKind, name: str, table: Table) -> None:
    held = table.held(kind, name)
    if held is not None:
        raise faults.frozen_item(kind.value, name, held.server)


_FINDERS: Final[dict[str, Callable[[Request, Caller], Route]]] = {
    "tools/call": _tool,
    "prompts/get": _prompt,
    "resources/read": _resource,
    "completion/complete": _completion,
}
METHODS: Final = frozenset(_FINDERS)
"""What a server is asked for, always."""
