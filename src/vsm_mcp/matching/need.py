"""Needs, read: what of their words counts how much, what may stand for it, which capabilities they call for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vsm_mcp.matching.acts import wanted
from vsm_mcp.matching.conversion import Turn, turns
from vsm_mcp.matching.fuzzy import nearest
from vsm_mcp.matching.rarity import idf
from vsm_mcp.matching.taxonomy import TagMatch, Taxonomy
from vsm_mcp.matching.tokens import joined, need_stems, stem_of, weight_of, words
from vsm_mcp.matching.wording import asked, names_in

if TYPE_CHECKING:
    from vsm_mcp.matching.meaning import Floats, Meaning

_MOST_IDF: Final = 8.0
_EXPANSION: Final = 0.25
_WIDENING: Final = 2
_HARDLY_SEEN: Final = 3
_ARGUMENT: Final = 0.5
_FOREIGN: Final = 5.0
_FOREIGN_PART: Final = 1.5

OUT_OF_SCOPE: Final = ""
"""Stands for what no program can do, beside the capability tags."""


class Vocabulary(Protocol):
    """Word statistics of a large collection of things."""

    @property
    def documents(self) -> int:
        """Number of documents."""

    def holding(self, term: str) -> int:
        """Return how many documents hold the stem."""

    def near(self, term: str) -> Mapping[str, float]:
        """Return known stems that an unknown one may be a misspelling of."""


class Counted:
    """A vocabulary from a plain mapping of stems to counts."""

    def __init__(self, documents: int, counts: Mapping[str, int]) -> None:
        self._documents = documents
        self._counts = counts

    @property
    def documents(self) -> int:
        """Number of documents."""
        return self._documents

    def holding(self, term: str) -> int:
        """Return how many documents hold the stem."""
        return self._counts.get(term, 0)

    def near(self, term: str) -> Mapping[str, float]:
        """Return known stems that an unknown one may be a misspelling of."""
        return nearest(term, self._counts)


class Callings(Protocol):
    """Tells by its direction what a need calls for."""

    def shares(self, vector: Floats) -> Mapping[str, float]:
        """Return how likely (0…1) it calls for each capability; under :data:`OUT_OF_SCOPE`, that no program can."""


class Need(NamedTuple):
    """A need, read: its stems with weights, what may stand for each, the capability tags it calls for.

    ``tags`` are those whose words it holds, ``called`` those that its meaning calls for, with how likely each is (0…1);
    ``out_of_scope`` is how likely no program can do it. ``turns`` are what it wants turned into what
    (:mod:`vsm_mcp.matching.conversion`), ``acts`` what it wants done (:mod:`vsm_mcp.matching.acts`). ``vector`` is its
    direction, where there is a meaning that knows some of it.
    """

    text: str
    weights: Mapping[str, float]
    variants: Mapping[str, Mapping[str, float]]
    tags: tuple[TagMatch, ...]
    query: Mapping[str, float]
    turns: frozenset[Turn] = frozenset()
    acts: frozenset[str] = frozenset()
    called: Mapping[str, float] = {}
    out_of_scope: float = 0.0
    vector: Floats | None = None


class Reader:
    """Reads needs. ``english`` puts one into English as far as it can; without a meaning words alone are read."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        taxonomy: Taxonomy,
        meaning: Meaning | None = None,
        callings: Callings | None = None,
        english: Callable[[str], str] = str,
    ) -> None:
        self._vocabulary = vocabulary
        self.taxonomy = taxonomy
        self.meaning = meaning
        self._callings = callings
        self._english = english

    def read(self, text: str) -> Need:
        """Read a need: any text; one without a single word gives a need that nothing meets."""
        names = {stem_of(name) for name in names_in(text)}
        text = self._english(text)
        parts = need_stems(text)
        weights = {term: self._weight(term, term in names) for term in parts}
        variants = {term: self._variants(term) for term in weights}
        tags = self._tags(parts, variants)
        for one, other in pairwise(parts):
            for pair in joined([one, other]):
                variants[one].setdefault(pair, 1.0)
                variants[other].setdefault(pair, 1.0)
        if "or" in words(text):
            # "On Mastodon or Bluesky": either will do.
            named = [term for term in weights if term in self.taxonomy.products]
            for one, other in permutations(named, 2):
                variants[one].setdefault(other, 1.0)
        vector = self._vector(text) if weights else None
        called = dict(self._callings.shares(vector)) if self._callings and vector is not None else {}
        out_of_scope = called.pop(OUT_OF_SCOPE, 0.0)
        query = self._query(weights, variants, tags, called)
        return Need(text, weights, variants, tags, query, turns(text), wanted(text), called, out_of_scope, vector)

    def _vector(self, text: str) -> Floats | None:
        if self.meaning is None:
            return None
        vector: Floats = self.meaning.embed([asked(text)])[0]
        return vector if vector.any() else None

    def _tags(self, parts: list[str], variants: Mapping[str, Mapping[str, float]]) -> tuple[TagMatch, ...]:
        """Return the tags a need calls for, a misspelt word read as its nearest known one."""
        read = {
            term: term
            if self.taxonomy.phrase_length(term)
            else max(near, key=lambda other: (other != term, near[other]))
            for term, near in variants.items()
        }
        meant = {right: term for term, right in read.items()}
        tags = self.taxonomy.of_need(list(read.values()), joined([read[term] for term in parts]))
        return tuple(
            tag._replace(covers={meant.get(term, term): share for term, share in tag.covers.items()}) for tag in tags
        )

    def _weight(self, term: str, name: bool) -> float:
        holding = self._vocabulary.holding(term)
        if (name or term.isdecimal()) and holding <= _HARDLY_SEEN:
            return _ARGUMENT  # a place, a person, a number: what a tool is called with, not what it does
        weight = min(_MOST_IDF, idf(self._vocabulary.documents, holding))
        length = self.taxonomy.phrase_length(term) if holding <= _HARDLY_SEEN else 0
        if length:
            # A word of another language: rare in the collection, but known; one that never stands alone says little.
            weight = min(weight, _FOREIGN if length == 1 else _FOREIGN_PART)
        return max(0.1, weight * weight_of(term))

    def _variants(self, term: str) -> dict[str, float]:
        return {term: 1.0, **(self._vocabulary.near(term) if not self._vocabulary.holding(term) else {})}

    def _query(
        self,
        weights: Mapping[str, float],
        variants: Mapping[str, Mapping[str, float]],
        tags: tuple[TagMatch, ...],
        called: Mapping[str, float],
    ) -> dict[str, float]:
        """Return the stems to look for, widened by the words of the surest tags: recall shall not hang on wording."""
        query: dict[str, float] = {}
        sure = {**called, **{tag.name: max(tag.confidence, called.get(tag.name, 0.0)) for tag in tags}}
        for name in sorted(sure, key=lambda name: (-sure[name], name))[:_WIDENING]:
            for term in self.taxonomy.words(name):
                query[term] = max(query.get(term, 0.0), _EXPANSION * sure[name])
        for term in weights:
            factor = weight_of(term)
            for variant, closeness in variants[term].items():
                query[variant] = max(query.get(variant, 0.0), factor * closeness)
        return query
