"""Whether a server does what is needed, by the tools that it lists: the yardstick is that of candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.matching.relevance import Thing
from vsm_mcp.matching.wording import ToolText
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.unreadable import UNREADABLE

_MOST: Final = 256


async def suits(need: str, server: str, offer: Offer) -> float:
    """Return how well the best tool of an offer matches a need (0…1; see :data:`~vsm_mcp.matching.relevance.MET`).

    Works in a thread; of a server with more tools the first 256 are looked at.
    """
    texts = [tool_text(opened(tool.raw), tool.name, tool.name, server) for tool in offer.of(ItemKind.TOOL)[:_MOST]]
    return (await asyncio.to_thread(best, need, texts))[1]


def best(need: str, tools: Iterable[ToolText]) -> tuple[str, float]:
    """Return the key and the match of the tool that matches a need best; ``("", 0.0)`` for none."""
    things = {tool.key: Thing(tool.name, tool.description, (), tool.server, tool.parameters) for tool in tools}
    yardstick = matcher()
    matches = yardstick.rate(yardstick.need(need), [*things.values()])
    return max(
        zip(things, (each.score for each in matches), strict=True), key=lambda found: found[1], default=("", 0.0)
    )


def opened(definition: bytes) -> dict[str, Any]:
    """Return a definition; what is beyond reading in it (depth, encoding) is as good as empty here."""
    try:
        found: dict[str, Any] = msgspec.json.decode(definition)
    except UNREADABLE:
        return {}
    return found


def tool_text(tool: Mapping[str, Any], key: str, name: str, server: str) -> ToolText:
    """Return the words of a tool's definition, under a key and its server's own name for it."""
    words = " ".join(f"{part} {string(schema.get('description'))}" for part, schema in properties(tool).items())
    return ToolText(key, name, string(tool.get("description")), words, server)


def properties(tool: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schemas of a tool's parameters, by their names."""
    schema = tool.get("inputSchema")
    found = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(found, dict):
        return {}
    return {name: part if isinstance(part, dict) else {} for name, part in found.items()}


def string(value: object) -> str:
    """Return what should be a string; "" where it is something else."""
    return value if isinstance(value, str) else ""
