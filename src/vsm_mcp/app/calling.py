"""``vsm-mcp call``: one tool, by its exposed name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.typed import schema_of, typed_arguments
from vsm_mcp.errors import ItemFrozen, PolicyDenied, UnknownTool
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.routing.names import closest


async def call(
    gateway: Gateway, fleet: Fleet, tool: str, arguments: Mapping[str, Any], typed: Mapping[str, str]
) -> dict[str, Any]:
    """Call a tool and return the document of it; ``typed`` values are read by its schema.

    Raises :class:`UnknownTool`, :class:`PolicyDenied`, :class:`ItemFrozen`, :class:`BadArgument`.
    """
    table = gateway.catalogue.table
    route = table.tools.get(tool)
    if route is None:
        if tool in table.denied:
            raise PolicyDenied(f"the policy denies the tool {tool}", "[policy] deny_tools holds the pattern")
        if (held := table.held(ItemKind.TOOL, tool)) is not None:
            raise ItemFrozen(
                f"the tool {tool} is frozen: {held.server} changed it after it was approved, or added it later",
                f"look at it: vsm-mcp inspect {held.server}; then vsm-mcp approve {held.server}",
            )
        near = ", ".join(closest(tool, table.tools)) or "vsm-mcp tools lists them"
        raise UnknownTool(f"no tool is called {tool!r}", f"did you mean: {near}" if table.tools else near)
    sent = {**arguments, **typed_arguments(typed, schema_of(fleet.offers.get(route.server), route.name))}
    began = time.perf_counter()
    result = msgspec.json.decode(await gateway.call(tool, msgspec.json.encode(sent)))
    return {
        "server": route.server,
        "tool": tool,
        "isError": bool(result.get("isError")),
        "content": result.get("content", []),
        "structuredContent": result.get("structuredContent"),
        "ms": round((time.perf_counter() - began) * 1000, 1),
    }
