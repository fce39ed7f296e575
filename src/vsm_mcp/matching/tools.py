"""Tools ranked by need: name, description, parameters and the server they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from vsm_mcp.matching.bm25 import Bm25f, Field
from vsm_mcp.matching.tokens import joined, name_stems, need_stems, stems

FIELDS: Final = {
    "name": Field(2.5, 0.4),
    "description": Field(1.0, 0.6),
    "parameters": Field(0.4, 0.75),
    "server": Field(0.8, 0.5),
}

MET: Final = 0.4
"""A tool whose match (:meth:`vsm_mcp.matching.relevance.Matcher.match`) is below it does not plainly do what is needed.

Lower than the threshold for candidates: a tool says less about itself than a package does, and to take a need for unmet
that a tool at hand meets costs more than the reverse.
"""


class ToolText(NamedTuple):
    """What is known of one tool in words; ``parameters`` holds names and descriptions, ``server`` name and purpose."""

    key: str
    name: str
    description: str = ""
    parameters: str = ""
    server: str = ""


class ToolIndex:
    """All tools of a catalogue; built when it changes, then only read."""

    def __init__(self, tools: Iterable[ToolText]) -> None:
        self._index = Bm25f(FIELDS, ((tool.key, _stems(tool)) for tool in tools))

    def __len__(self) -> int:
        return len(self._index)

    def search(self, need: str, limit: int) -> list[tuple[str, float]]:
        """Return up to ``limit`` (key, score) of tools, best first; scores are of BM25 and have no upper bound."""
        parts = need_stems(need)
        weights = dict.fromkeys(parts, 1.0)
        weights.update({pair: 0.7 for pair in joined(parts) if pair in self._index})
        return self._index.search(weights, limit)


def _stems(tool: ToolText) -> dict[str, list[str]]:
    name = name_stems(tool.name)
    return {
        "name": [*name, *joined(name)],
        "description": stems(tool.description),
        "parameters": stems(tool.parameters),
        "server": stems(tool.server),
    }
