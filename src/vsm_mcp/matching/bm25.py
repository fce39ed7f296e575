"""BM25 over documents with fields, in memory (Robertson, Zaragoza: *The Probabilistic Relevance Framework*, 2009).

One index serves whatever is ranked by text: candidates of the catalogue, tools, installed servers. Field lengths are
normalised per field before the saturation, so that a word in a short name counts for more than one in a long text.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from vsm_mcp.matching.fuzzy import nearest

Key = TypeVar("Key")

K1: Final = 1.2


class Field(NamedTuple):
    """How one field counts: ``weight`` of a hit in it, ``b`` of its length normalisation (0 none … 1 full)."""

    weight: float
    b: float


def idf(documents: int, holding: int) -> float:
    """Return the inverse document frequency of a term that ``holding`` of ``documents`` hold; never negative."""
    return math.log(1.0 + (documents - holding + 0.5) / (holding + 0.5))


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
        self._postings: dict[str, tuple[array[int], array[float]]] = {}
        for place, present in enumerate(counts):
            self._post(place, present, fields, average)

    def _post(
        self, place: int, present: Mapping[str, Counter[str]], fields: Mapping[str, Field], average: Mapping[str, float]
    ) -> None:
        frequency: dict[str, float] = {}
        for name, bag in present.items():
            weight, b = fields[name]
            norm = 1.0 - b + b * sum(bag.values()) / average[name]
            for term, count in bag.items():
                frequency[term] = frequency.get(term, 0.0) + weight * count / norm
        for term, tf in frequency.items():
            posting = self._postings.get(term)
            if posting is None:
                posting = self._postings[term] = (array("I"), array("f"))
            posting[0].append(place)
            posting[1].append(tf * (K1 + 1.0) / (tf + K1))

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, term: object) -> bool:
        return term in self._postings

    def idf(self, term: str) -> float:
        """Return the weight of a term here; one that no document holds weighs most."""
        posting = self._postings.get(term)
        return idf(len(self.keys), len(posting[0]) if posting else 0)

    def search(self, terms: Mapping[str, float] | Iterable[str], limit: int) -> list[tuple[Key, float]]:
        """Return up to ``limit`` (key, score), best first; equal scores in the order the documents came.

        ``terms`` are stems, each with a weight (1.0 where none is given). A stem that no document holds is replaced
        by the nearest one that some document holds, at a discount, if there is one.
        """
        weights = dict(terms) if isinstance(terms, Mapping) else dict(Counter(terms))
        scores: dict[int, float] = {}
        for term, weight in weights.items():
            for near, closeness in self._known(term).items():
                places, impacts = self._postings[near]
                factor = weight * closeness * idf(len(self.keys), len(places))
                for place, impact in zip(places, impacts, strict=True):
                    scores[place] = scores.get(place, 0.0) + factor * impact
        best = heapq.nsmallest(limit, scores.items(), key=lambda item: (-item[1], item[0]))
        return [(self.keys[place], score) for place, score in best]

    def _known(self, term: str) -> dict[str, float]:
        return {term: 1.0} if term in self._postings else nearest(term, self._postings)
