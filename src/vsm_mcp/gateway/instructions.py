"""What a client is told about a view when it connects: how to read the names, how to find tools, what servers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from vsm_mcp.gateway.display import Display
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.shelf import Shelf
from vsm_mcp.routing.table import Table

OF_ONE: Final = 2000
"""Characters of one server's instructions that are passed on."""

_OF_ALL: Final = 16_000
_OF_SERVERS: Final = 4000
_LINE: Final = 160

_PREFIXED: Final = (
    "Tools and prompts of several MCP servers, served side by side. A name is SERVER__NAME: what stands before the "
    "two underscores is the server."
)
_PLAIN: Final = (
    "Tools and prompts of several MCP servers, served side by side under their own names. A name that several servers "
    "use is written SERVER__NAME."
)
_FINDING: Final = {
    definitions.FIND: "find_tools(query) names the tools that do what you need",
    definitions.DESCRIBE: "describe_tool(name) gives the arguments of one in full",
    definitions.CALL: "call_tool(name, arguments) calls it",
}
_ACQUIRING: Final = (
    "When no tool does what is needed, acquire_capability(need) looks for a server that does and takes it into service "
    "as far as the policy allows."
)


def instructions(display: Display, own: Collection[str], shelves: Iterable[Shelf], table: Table) -> str:
    """Return the instructions of a view; ``own`` are the names of the gateway's tools that it lists.

    Where tools are found rather than listed, a line for each server says what is there; what a server says about its
    own tools comes with :data:`~vsm_mcp.gateway.meta.definitions.DESCRIBE`.
    """
    finding = [words for name, words in _FINDING.items() if name in own]
    parts = [display.description, _PLAIN if display.plain_names else _PREFIXED]
    if finding:
        parts.append(f"The tools are not listed one by one: {'; '.join(finding)}.")
    if definitions.ACQUIRE in own:
        parts.append(_ACQUIRING)
    parts.append(_lines(shelves, table) if finding else _texts(shelves))
    return "\n\n".join(filter(None, parts))


def _texts(shelves: Iterable[Shelf]) -> str:
    parts, room = [], _OF_ALL
    for shelf in shelves:
        text = shelf.offer.instructions.strip()[:OF_ONE]
        if text and len(text) <= room:
            room -= len(text)
            parts.append(f"## {shelf.server}\n{text}")
    return "\n\n".join(parts)


def _lines(shelves: Iterable[Shelf], table: Table) -> str:
    counts = Counter(route.server for route in table.tools.values())
    lines, room = ["Servers:"], _OF_SERVERS
    for shelf in shelves:
        first = shelf.offer.instructions.strip().partition("\n")[0]
        line = f"- {shelf.server} ({counts[shelf.server]} tools){': ' if first else ''}{first}"[:_LINE]
        if not counts[shelf.server] or len(line) > room:
            continue
        room -= len(line)
        lines.append(line)
    return "\n".join(lines) if len(lines) > 1 else ""
