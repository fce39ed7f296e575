"""``find_tools``: the tools of the caller's view that fit a need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw

from vsm_mcp.errors import BadArgument
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.lookup import Card, Parameter, one_line
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.meta.tool import Onward, arguments, refused, result
from vsm_mcp.gateway.needs import Needs

_MOST_ASKED: Final = 2000
_NAMED: Final = 20
_DESCRIPTION: Final = 240
_ASK: Final = f"If none of them does it, {definitions.ACQUIRE}(need) asks for a capability that is lacking."
_SAY: Final = "If none of them does it, say so: the capability is lacking here."


class _Arguments(msgspec.Struct):
    query: Annotated[str, Meta(max_length=_MOST_ASKED)]
    limit: Annotated[int, Meta(ge=1, le=definitions.MOST_FOUND)] = definitions.USUALLY_FOUND
    server: str = ""


class FindTools:
    """Answers ``find_tools``; every need is noted, met or not, where somebody looks after needs."""

    def __init__(self, needs: Needs | None) -> None:
        self._needs = needs

    async def answer(self, request: Request, caller: Caller, _onward: Onward) -> bytes | Raw:
        """Return the tools found, as text and as structured content."""
        catalogue = caller.view.catalogue
        try:
            asked = arguments(request, _Arguments)
            if not asked.query.strip():
                raise BadArgument("query is empty: say what is to be done")
            if asked.server and asked.server not in catalogue.shelves:
                raise BadArgument(f"there is no server {asked.server[:100]!r} here; {_servers(catalogue.shelves)}")
        except BadArgument as error:
            return refused(definitions.FIND, error, caller)
        found = await catalogue.lookup.find(asked.query, asked.limit, asked.server)
        if self._needs is not None and not asked.server:
            self._needs.noticed(asked.query, met=found.met)
        cards = [
            msgspec.structs.replace(card, description=one_line(card.description, _DESCRIPTION))
            for card, _ in found.tools
        ]
        structured = {"query": asked.query, "met": found.met, "searched": found.searched, "tools": cards}
        lacking = _ASK if definitions.ACQUIRE in catalogue.own else _SAY
        return result("\n".join([*_lines(cards, found.searched, met=found.met), lacking]), structured, caller)


def _servers(names: Iterable[str]) -> str:
    known = list(names)
    shown = ", ".join(known[:_NAMED])
    return f"there are {shown}{' and more' if len(known) > _NAMED else ''}" if known else "there is none"


def _lines(cards: Sequence[Card], searched: int, *, met: bool) -> list[str]:
    if not cards:
        return [f"No tool here fits (of {searched})."]
    head = "These tools fit" if met else "No tool plainly does this; the nearest are"
    lines = [f"{head} (of {searched}), the best first:", ""]
    for place, card in enumerate(cards, 1):
        lines.append(f"{place}. {card.name}: {card.description}")
        lines += [_parameter(parameter) for parameter in card.parameters]
    return [*lines, "", f"Call one with {definitions.CALL}(name, arguments)."]


def _parameter(parameter: Parameter) -> str:
    need = ", required" if parameter.required else ""
    about = f": {parameter.description}" if parameter.description else ""
    return f"   - {parameter.name} ({parameter.type}{need}){about}"
