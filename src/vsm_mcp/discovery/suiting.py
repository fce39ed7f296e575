"""Whether a server does what is needed, by the tools that it lists or is said to have.

The yardstick for what it lists is that of candidates; what it is said to have is mostly known by name alone.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from vsm_mcp.discovery.meaning import meaning
from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.matching import acts, conversion
from vsm_mcp.matching.need import Need
from vsm_mcp.matching.relevance import Thing, nearness
from vsm_mcp.matching.tokens import words
from vsm_mcp.matching.wording import ToolText, asked, beginning, of_tool
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.unreadable import UNREADABLE

_MOST: Final = 256
_FEW: Final = 2
_LIKE: Final = 0.25
"""The cosine (of the model of words) from which on a tool may do what is needed; chosen with :data:`MET`."""
_ACCESS: Final = re.compile(r"\b(?:api|access|auth)[-_ ]?(?:keys?|tokens?)\b|\bauthorization\b", re.IGNORECASE)


async def suits(need: str, server: str, offer: Offer) -> float:
    """Return how well the best tool of an offer matches a need (0…1; see :data:`~vsm_mcp.matching.relevance.MET`).

    Works in a thread; of a server with more tools the first 256 are looked at.
    """
    texts = [tool_text(opened(tool.raw), tool.name, tool.name, server) for tool in offer.of(ItemKind.TOOL)[:_MOST]]
    return (await asyncio.to_thread(best, need, texts))[1]


def best(need: str, tools: Iterable[ToolText]) -> tuple[str, float]:
    """Return the key and the match of the tool that matches a need best; ``("", 0.0)`` for none.

    A tool whose meaning is far from that of the need matches less, whatever kind it is of: what validates JSON is of
    the kind that "pretty-print this JSON" calls for, and does something else.
    """
    things = {tool.key: _thing(tool) for tool in tools}
    yardstick = matcher()
    wanted = yardstick.need(need)
    known = wanted.vector is not None and bool(wanted.vector.any())
    scores = [
        round(match.score * (min(1.0, max(0.0, match.near) / _LIKE) if known else 1.0), 6)
        for match in yardstick.rate(wanted, [*things.values()])
    ]
    return max(zip(things, scores, strict=True), key=lambda found: found[1], default=("", 0.0))


def _thing(tool: ToolText) -> Thing:
    """Return what a need is compared with. Only its name and first sentence say of what kind a tool is.

    How it is called says nothing of that: a parameter ``path`` makes no tool one for files.
    """
    aside = f"{tool.description}\n{_ACCESS.sub(' ', tool.parameters)}"
    return Thing(tool.name, beginning(tool.description), terms=tool.server, aside=aside)


def with_nearest(need: Need, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates with their tool that comes nearest to a need, where tools of them are known.

    By the model of words; wholly where a tool turns just that into that, less where it turns it the other way round
    (:mod:`vsm_mcp.matching.conversion`) or does something else with the same things (:mod:`vsm_mcp.matching.acts`).
    MiniLM would take seconds for so many names.
    """
    looked_at, model = list(candidates), meaning()
    texts = list(dict.fromkeys(said for each in looked_at for said in _texts(each.known_tools[:_MOST])))
    vector = model.embed([asked(need.text)])[0]
    if not texts or not need.weights or not vector.any():
        return looked_at
    cosines = model.embed([text for _, text in texts]) @ vector
    near: dict[tuple[str, str], float] = {}
    for (tool, _), cosine in zip(texts, cosines, strict=True):
        near[tool] = max(near.get(tool, 0.0), nearness(float(cosine), *model.scale))
    done = {tool: _done(need, tool, meant) for tool, meant in near.items()}
    return [msgspec.structs.replace(each, nearest=_nearest(each.known_tools[:_MOST], done)) for each in looked_at]


def _done(need: Need, tool: tuple[str, str], near: float) -> float:
    """Return how near a tool comes, if it is so near in meaning, by what it says it does."""
    same = acts.kept(need.acts, acts.done(*tool))
    if not need.turns:
        return near * same
    turned = conversion.turns(tool[0])
    if need.turns & turned:
        return same
    return near * min(acts.OTHERWISE, conversion.kept(need.turns, turned)) * same


def _texts(tools: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each tool with what it is compared by: also without a word that most of the names begin with.

    ``sympy_factor`` of a server for SymPy says that it factors; the first half is its server's name.
    """
    begins = Counter(parts[0] for name, _ in tools if (parts := words(name))[1:])
    usual, often = begins.most_common(1)[0] if begins else ("", 0)
    for name, said in tools:
        yield (name, said), of_tool(ToolText("", name, said))
        if often > _FEW and often > len(tools) / 2 and name.lower().startswith(usual):
            yield (name, said), of_tool(ToolText("", name[len(usual) :], said))


def _nearest(tools: Sequence[tuple[str, str]], near: Mapping[tuple[str, str], float]) -> tuple[str, float] | None:
    best = max(tools, key=lambda tool: near[tool], default=None)
    return None if best is None else (best[0], round(near[best], 6))


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
