"""Tools ranked by need: their words (name, description, parameters, server) and, mixed with them, their meaning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from vsm_mcp.matching import acts
from vsm_mcp.matching.bm25 import Bm25f, Field
from vsm_mcp.matching.conversion import kept, turns
from vsm_mcp.matching.meaning import Floats, Meaning, Table, best, spread, unit
from vsm_mcp.matching.tokens import joined, name_stems, need_stems, stems
from vsm_mcp.matching.wording import ToolText, asked, of_tool

FIELDS: Final = {
    "name": Field(2.5, 0.4),
    "description": Field(1.0, 0.6),
    "parameters": Field(0.4, 0.75),
    "server": Field(0.8, 0.5),
}

WORDS, MEANING, SERVER = 0.3, 0.7, 0.15
"""How much words, meaning and the meaning of a tool's server count."""

AMONG: Final = 100
"""Among so many of the nearest their nearness is spread over the whole scale."""

CONTEXT, NAMED = 0.8, 0.4
"""How much of a tool's own direction is that of its server's purpose: "delete a task" says little by itself.

The second counts where nothing is known of the server but its name.
"""
_LOOKED_AT: Final = 48  # of so many of the best, those that do the reverse of what is needed go down
_PURPOSE: Final = 6  # words: fewer are a name


class ToolIndex:
    """All tools of a catalogue; built when it changes, then only read. Without a meaning it goes by words alone."""

    def __init__(self, tools: Iterable[ToolText], meaning: Meaning | None = None) -> None:
        texts = list(tools)
        self._index = Bm25f(FIELDS, ((tool.key, _stems(tool)) for tool in texts))
        self._texts = texts
        self._meaning = meaning
        if meaning is not None and texts:
            self._groups = _groups(texts)
            vectors = _vectors(texts, self._groups, meaning)
            self._tools, self._servers = Table(vectors), Table(_centres(vectors, self._groups))

    def __len__(self) -> int:
        return len(self._index)

    def search(self, need: str, limit: int) -> list[tuple[str, float]]:
        """Return up to ``limit`` (key, score) of tools, best first; what shares nothing with it is left out."""
        parts = need_stems(need)
        if not parts or not len(self):
            return []
        words = self._index.of_need(parts)
        near = self._near(need)
        scores = words if near is None else np.float32(WORDS / (float(words.max()) or 1.0)) * words + near
        act, wanted = acts.wanted(need), turns(need)
        for place in best(scores, _LOOKED_AT) if act or wanted else ():
            tool = self._texts[place]
            scores[place] *= kept(wanted, turns(tool.name) | turns(tool.description))
            scores[place] *= acts.kept(act, acts.done(tool.name, tool.description))
        return self._index.ranked(scores, limit)

    def _near(self, need: str) -> Floats | None:
        vector = self._meaning.embed([asked(need)])[0] if self._meaning else None
        if vector is None or not vector.any():
            return None
        near = MEANING * self._tools.near(vector) + SERVER * self._servers.near(vector)[self._groups]
        scaled: Floats = np.float32(MEANING + SERVER) * spread(near, AMONG)
        return scaled


def _groups(tools: Sequence[ToolText]) -> list[int]:
    """Return for each tool the number of its server."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(tool.server or tool.key, len(numbers)) for tool in tools]


def _vectors(tools: Sequence[ToolText], groups: Sequence[int], meaning: Meaning) -> Floats:
    """Return the direction of each tool: what it says of itself, and something of what its server is for."""
    purposes = {group: asked(tool.server) for tool, group in zip(tools, groups, strict=True)}
    texts = [purposes[group] for group in range(len(purposes))]
    weights = np.array([CONTEXT if len(text.split()) >= _PURPOSE else NAMED for text in texts], np.float32)
    contexts = weights[:, None] * meaning.embed(texts)
    return unit(meaning.embed([of_tool(tool) for tool in tools]) + contexts[groups])


def _centres(vectors: Floats, groups: Sequence[int]) -> Floats:
    sums = np.zeros((max(groups) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, groups, vectors)
    return unit(sums)


def _stems(tool: ToolText) -> dict[str, list[str]]:
    name = name_stems(tool.name)
    return {
        "name": [*name, *joined(name)],
        "description": stems(tool.description),
        "parameters": stems(tool.parameters),
        "server": stems(tool.server),
    }
