"""Servers of a list ranked by need: by what they say of themselves, and by what their tools do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from vsm_mcp.matching.bm25 import Bm25f, Field
from vsm_mcp.matching.conversion import kept, turns
from vsm_mcp.matching.meaning import Floats, Meaning, Table, best, spread, unit
from vsm_mcp.matching.tokens import joined, name_stems, need_stems, stems
from vsm_mcp.matching.wording import ServerText, ToolText, asked, described, of_tool

FIELDS: Final = {
    "name": Field(2.5, 0.4),
    "description": Field(1.0, 0.6),
    "tools": Field(1.0, 0.6),
    "told": Field(0.6, 0.75),
    "labels": Field(0.5, 0.5),
}

WORDS, MEANING = 0.5, 0.5
"""How much words and meaning count: the tools of a server hold many of the words that a need may come in."""

AMONG: Final = 100
"""Among so many of the nearest their nearness is spread over the whole scale."""
_LOOKED_AT: Final = 48  # of so many of the best, those that do the reverse of what is needed go down


class ServerIndex:
    """The servers of a list; built when it is read, then only asked. Without a meaning it goes by words alone."""

    def __init__(self, servers: Iterable[ServerText], meaning: Meaning | None = None) -> None:
        self._texts = list(servers)
        self._index = Bm25f(FIELDS, ((server.key, _stems(server)) for server in self._texts))
        self._meaning = meaning
        if meaning is not None and self._texts:
            self._table = Table(_vectors(self._texts, meaning))

    def search(self, need: str, limit: int) -> list[tuple[str, float]]:
        """Return up to ``limit`` (key, score) of servers, best first; what shares nothing with it is left out."""
        parts = need_stems(need)
        if not parts or not self._texts:
            return []
        words = self._index.of_need(parts)
        scores = words / (float(words.max()) or 1.0)
        vector = self._meaning.embed([asked(need)])[0] if self._meaning else None
        if vector is not None and vector.any():
            scores = np.float32(WORDS) * scores + np.float32(MEANING) * spread(self._table.near(vector), AMONG)
        if wanted := turns(need):
            for place in best(scores, _LOOKED_AT):
                server = self._texts[place]
                scores[place] *= kept(wanted, turns(server.name) | turns(server.description))
        return self._index.ranked(scores, limit)


def _vectors(servers: Sequence[ServerText], meaning: Meaning) -> Floats:
    """Return a vector for each server: half of what it says of itself, half of what its tools say on the whole.

    It is no longer than 1: where the halves differ, it is near to neither. Without tools it is the server's own.
    """
    own = meaning.embed([described(server.name, server.description) for server in servers])
    owners = [place for place, server in enumerate(servers) for _ in server.tools]
    said = [of_tool(ToolText("", *tool)) for server in servers for tool in server.tools]
    sums = np.zeros_like(own)
    np.add.at(sums, owners, meaning.embed(said))
    middles = np.where(sums.any(axis=1, keepdims=True), unit(sums), own)
    halved: Floats = (own + middles) / np.float32(2.0)
    return halved


def _stems(server: ServerText) -> dict[str, list[str]]:
    name = name_stems(server.name)
    return {
        "name": [*name, *joined(name)],
        "description": stems(server.description),
        "tools": [stem for called, _ in server.tools for stem in name_stems(called)],
        "told": [stem for _, told in server.tools for stem in stems(told)],
        "labels": stems(server.labels),
    }
