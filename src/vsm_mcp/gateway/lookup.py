"""Tools found by need: the product's index over the tools of one catalogue, made once and off the call path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.discovery import suiting
from vsm_mcp.discovery.suiting import opened, properties, string, tool_text
from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.gateway.shelf import Entry
from vsm_mcp.matching.relevance import MET
from vsm_mcp.matching.wording import ToolText
from vsm_mcp.model.definition import Offer
from vsm_mcp.routing.table import Table

if TYPE_CHECKING:
    from vsm_mcp.matching.tools import ToolIndex

_PURPOSE: Final = 300
_PARAMETERS: Final = 16
_PARAMETER: Final = 100
_CHOICES: Final = 6
_WIDER: Final = 2  # so many times more are looked at than are returned: one that is favoured may move up among them
_RATED = 256


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a tool in short; ``type`` is the schema's, or its choices, or ``any``."""

    name: str
    type: str
    required: bool
    description: str


class Card(msgspec.Struct, frozen=True):
    """One tool: its description as its server wrote it, and at most sixteen parameters, the required ones first."""

    name: str
    server: str
    description: str
    parameters: tuple[Parameter, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """What was found for a need: (tool, score) best first, among how many, and whether one of them plainly meets it."""

    tools: tuple[tuple[Card, float], ...]
    searched: int
    met: bool


Favour = Callable[[str, str], float]
"""Takes a server and the name of a tool there; returns what its score for a need is multiplied by, 1.0 for no more."""


def alike(_server: str, _tool: str) -> float:
    """Favour no tool."""
    return 1.0


class Lookup:
    """Finds tools of one catalogue. ``entries`` are its tools by name, ``offers`` those of its servers.

    ``favour`` moves a tool that fits about as well as its neighbours among them (``model.tool_experience``).
    """

    def __init__(
        self, entries: Mapping[str, Entry], table: Table, offers: Mapping[str, Offer], favour: Favour = alike
    ) -> None:
        self._favour = favour
        self._entries = entries
        self._routes = table.tools
        self._offers = offers
        self._index: ToolIndex | None = None
        self._building: asyncio.Future[ToolIndex] | None = None

    async def find(self, need: str, limit: int, server: str = "") -> Finding:
        """Return up to ``limit`` tools for a need, of one server if it is named. Works in a thread."""
        index = await self._built()
        return await asyncio.to_thread(self._find, index, need, limit, server)

    async def best(self, need: str, servers: Collection[str]) -> tuple[str, str, float]:
        """Return the tool of ``servers`` that matches a need best by the yardstick of candidates.

        Its name, its server, and the score (0…1; see :data:`~vsm_mcp.matching.relevance.MET`); empty for none.
        """
        names = [name for name in sorted(self._entries) if self._routes[name].server in servers]
        if len(names) > _RATED:
            index = await self._built()
            ranked = await asyncio.to_thread(index.search, need, len(index))
            names = [key for key, _ in ranked if self._routes[key].server in servers][:_RATED]
        name, score = await asyncio.to_thread(lambda: suiting.best(need, (self._text(each, {}) for each in names)))
        return name, self._routes[name].server if name else "", score

    def cards(self, limit: int) -> list[Card]:
        """Return the first ``limit`` tools in the order of their names."""
        return [self._card(name) for name in sorted(self._entries)[:limit]]

    def _card(self, name: str) -> Card:
        tool = opened(self._entries[name].modern)
        return Card(name, self._routes[name].server, string(tool.get("description")), _parameters(tool))

    async def _built(self) -> ToolIndex:
        if self._index is None:
            if self._building is None:
                self._building = asyncio.get_running_loop().run_in_executor(None, self._build)
            # One who gives up waiting must not take the index from the others.
            self._index = await asyncio.shield(self._building)
        return self._index

    def _build(self) -> ToolIndex:
        servers = {
            name: f"{name} {offer.server_name} {offer.instructions[:_PURPOSE]}" for name, offer in self._offers.items()
        }
        from vsm_mcp.matching.tools import ToolIndex  # noqa: PLC0415 - numpy, at the first search

        return ToolIndex((self._text(name, servers) for name in sorted(self._entries)), matcher().meaning)

    def _text(self, name: str, servers: Mapping[str, str]) -> ToolText:
        route = self._routes[name]
        return tool_text(opened(self._entries[name].modern), name, route.name, servers.get(route.server, route.server))

    def _find(self, index: ToolIndex, need: str, limit: int, server: str) -> Finding:
        ranked = index.search(need, len(index) if server else _WIDER * limit)
        found = [(key, score) for key, score in ranked if not server or self._routes[key].server == server]
        kept = self._favoured(found)[:limit]
        searched = sum(1 for route in self._routes.values() if not server or route.server == server)
        tools = tuple((self._card(key), score) for key, score in kept)
        return Finding(tools, searched, any(self._meets(need, key) for key, _ in kept))

    def _favoured(self, found: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """Return what was found in the order of the favoured scores; of equal ones the earlier stays first."""
        routes = self._routes
        moved = [(key, score * self._favour(routes[key].server, routes[key].name)) for key, score in found]
        return sorted(moved, key=lambda each: -each[1])

    def _meets(self, need: str, name: str) -> bool:
        return suiting.best(need, [self._text(name, {})])[1] >= MET


def _parameters(tool: Mapping[str, Any]) -> tuple[Parameter, ...]:
    schema = tool.get("inputSchema")
    wanted = schema.get("required") if isinstance(schema, dict) else None
    required = {name for name in wanted if isinstance(name, str)} if isinstance(wanted, list) else set()
    found = [
        Parameter(name, _type(part), name in required, one_line(string(part.get("description")), _PARAMETER))
        for name, part in properties(tool).items()
    ]
    return tuple(sorted(found, key=lambda parameter: not parameter.required)[:_PARAMETERS])


def _type(schema: Mapping[str, Any]) -> str:
    choices, kind = schema.get("enum"), schema.get("type")
    if isinstance(choices, list) and choices:
        shown = [one_line(str(choice), _PARAMETER) for choice in choices[:_CHOICES]]
        return " | ".join([*shown, *(["…"] if len(choices) > _CHOICES else [])])
    kinds = kind if isinstance(kind, list) else [kind]
    return " | ".join(one for one in kinds if isinstance(one, str)) or "any"


def one_line(text: str, most: int) -> str:
    """Return text of a server in one line of at most ``most`` characters."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"
