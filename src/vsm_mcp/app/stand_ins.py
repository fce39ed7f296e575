"""Which tools of one server can do the work of another's, where nobody knows better: those that are defined alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.stand_in import StandIn

StandIns = Callable[[str, str], Sequence[StandIn]]
"""(server, tool) → who can stand in for it, the most alike first."""


def plain_stand_ins(fleet: Fleet) -> StandIns:
    """Return who knows of tools of one name with the same parameters."""

    def stand_ins(server: str, tool: str) -> Sequence[StandIn]:
        mine = _parameters(fleet.offers.get(server, Offer()), tool)
        if mine is None:
            return ()
        arguments = {name: name for name in mine[0]}
        return tuple(
            StandIn(server=other, tool=tool, arguments=arguments, likeness=1.0)
            for other, offer in fleet.offers.items()
            if other != server and _parameters(offer, tool) == mine
        )

    return stand_ins


def of_rival(ask: StandIns, server: str, tools: Sequence[str], rival: str) -> dict[str, StandIn]:
    """Return, by tool of a server, how one rival is asked for it: by the tool that is most alike."""
    found: dict[str, StandIn] = {}
    for tool in tools:
        theirs = (stand_in for stand_in in ask(server, tool) if stand_in.server == rival)
        if (first := next(theirs, None)) is not None:
            found[tool] = first
    return found


def _parameters(offer: Offer, tool: str) -> tuple[Mapping[str, Any], frozenset[str]] | None:
    """Return the types of a tool's parameters, and which of them it needs."""
    item = next((each for each in offer.of(ItemKind.TOOL) if each.name == tool), None)
    if item is None:
        return None
    schema = msgspec.json.decode(item.raw).get("inputSchema") or {}
    given = schema.get("properties") or {}
    types = {name: each.get("type") if isinstance(each, dict) else each for name, each in given.items()}
    return types, frozenset(name for name in schema.get("required", ()) if isinstance(name, str))
