"""``describe_tool``: one tool's definition as its server wrote it."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from vsm_mcp.errors import BadArgument
from vsm_mcp.gateway import faults
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.instructions import OF_ONE
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.meta.tool import Onward, arguments, refused, result
from vsm_mcp.routing.names import closest


class _Arguments(msgspec.Struct):
    name: str


class DescribeTool:
    """Answers ``describe_tool``."""

    async def answer(self, request: Request, caller: Caller, _onward: Onward) -> bytes | Raw:
        """Return the definition byte for byte but for its name; raises :class:`Fault` for a tool that is not here."""
        try:
            name = arguments(request, _Arguments).name
        except BadArgument as error:
            return refused(definitions.DESCRIBE, error, caller)
        catalogue = caller.view.catalogue
        entry, route = catalogue.tools.get(name), catalogue.table.tools.get(name)
        if entry is None or route is None:
            if name in catalogue.table.denied:
                raise faults.denied_tool(name)
            raise faults.unknown_tool(name, closest(name, catalogue.table.tools))
        definition = entry.modern if caller.modern else entry.legacy
        words = catalogue.shelves[route.server].offer.instructions.strip()[:OF_ONE]
        structured = {"server": route.server, "tool": Raw(definition), **({"instructions": words} if words else {})}
        says = f"\n\nThe server {route.server} says:\n{words}" if words else ""
        return result(definition.decode("utf-8", "replace") + says, structured, caller)
