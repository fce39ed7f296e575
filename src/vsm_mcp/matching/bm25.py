"""BM25 over documents with fields, in memory (Robertson, Zaragoza: *The Probabilistic Relevance Framework*, 2009).

One index serves whatever is ranked by text: candidates of the catalogue, tools, installed servers. Field lengths are
normalised per field before the saturation, so that a word in a short name counts for more than one in a long text.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from vsm_mcp.matching.fuzzy import Beginnings
from vsm_mcp.matching.meaning import Floats, best
from vsm_mcp.matching.rarity import K1, idf
from vsm_mcp.matching.tokens import joined

_JOINED: Final = 0.7

Key = TypeVar("Key")


class Field(NamedTuple):
    """How one field counts: ``weight`` of a hit in it, ``b`` of its length normalisation (0 none … 1 full)."""

    weight: float
    b: float


class Bm25f(Generic[Key]):
    """An index over documents; built once, then only read.

    ``documents`` gives (key, {field: stems in order}); fields without a declaration are ignored.
    """

    def __init__(
        self, fields: Mapping[str, Field], documents: Iterable[tuple[Key, Mapping[str, Sequence[str]]]]
    ) -> None:
        self.keys: list[Key] = []
        counts: list[dict[str, Counter[str]]] = []
        totals: Counter[str] = Counter()
        for key, texts in documents:
            self.keys.append(key)
            present = {name: Counter(texts.get(name, ())) for name in fields}
            totals.update({name: sum(bag.values()) for name, bag in present.items()})
            counts.append(present)
        average = {name: totals[name] / max(1, len(self.keys)) or 1.0 for name in fields}
        posted: dict[str, tuple[array[int], array[float]]] = {}
        for place, present in enumerate(counts):
            for term, tf in _frequencies(present, fields, average).items():
                places, impacts = posted.setdefault(term, (array("i"), array("f")))
                places.append(place)
                impacts.append(tf * (K1 + 1.0) / (tf + K1))
        self._postings = {
            term: (np.frombuffer(places, np.int32), np.frombuffer(impacts, np.float32))
            for term, (places, impacts) in posted.items()
        }
        self._beginnings: Beginnings | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, term: object) -> bool:
        return term in self._postings

    def idf(self, term: str) -> float:
        """Return the weight of a term here; one that no document holds weighs most."""
        posting = self._postings.get(term)
        return idf(len(self.keys), len(posting[0]) if posting else 0)

    def search(self, terms: Mapping[str, float] | Iterable[str], limit: int) -> list[tuple[Key, float]]:
        """Return up to ``limit`` (key, score), best first; equal scores in the order the documents came."""
        return self.ranked(self.scores(terms), limit)

    def ranked(self, scores: Floats, limit: int) -> list[tuple[Key, float]]:
        """Return up to ``limit`` (key, score) of given scores of the documents, best first, none of it 0."""
        return [(self.keys[place], float(scores[place])) for place in best(scores, limit) if scores[place] > 0.0]

    def scores(self, terms: Mapping[str, float] | Iterable[str]) -> Floats:
        """Return the score of every document, 0 where it holds none of the terms.

        ``terms`` are stems, each with a weight (1.0 where none is given). A stem that no document holds is replaced
        by the nearest one that some document holds, at a discount, if there is one.
        """
        weights = dict(terms) if isinstance(terms, Mapping) else dict(Counter(terms))
        scores = np.zeros(len(self.keys), np.float32)
        for term, weight in weights.items():
            for near, closeness in self._known(term).items():
                places, impacts = self._postings[near]
                scores[places] += impacts * np.float32(weight * closeness * idf(len(self.keys), len(places)))
        return scores

    def of_need(self, parts: list[str]) -> Floats:
        """Return the score of every document for the stems of a need; neighbours may be written as one word, too."""
        weights = dict.fromkeys(parts, 1.0)
        weights.update({pair: _JOINED for pair in joined(parts) if pair in self})
        return self.scores(weights)

    def _known(self, term: str) -> dict[str, float]:
        if term in self._postings:
            return {term: 1.0}
        if self._beginnings is None:
            self._beginnings = Beginnings(self._postings)
        return self._beginnings.nearest(term)


def _frequencies(
    present: Mapping[str, Counter[str]], fields: Mapping[str, Field], average: Mapping[str, float]
) -> dict[str, float]:
    """Return how often each term is in a document, each field by its weight and its length."""
    frequency: dict[str, float] = {}
    for name, bag in present.items():
        weight, b = fields[name]
        norm = 1.0 - b + b * sum(bag.values()) / average[name]
        for term, count in bag.items():
            frequency[term] = frequency.get(term, 0.0) + weight * count / norm
    return frequency
