"""Capability tags: the same words for what is needed and for what is offered.

The taxonomy is data: ``[[tag]]`` tables with ``name`` (``area`` or ``area.thing``), ``definition`` and ``words``, the
phrases people write when they want it, in any language; ``products`` are those of them that name one product of several
for the same thing. A need gets the tags whose phrases it holds; a thing gets the tags it was given, or those whose
phrases its text holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.tokens import LIGHT, need_stems, stems, weight_of

LEAST_CONFIDENCE: Final = 0.3
_DEFINING: Final = 0.5
_DEFINING_SURE: Final = 0.85
_GIVEN: Final = 0.95


class Tag(NamedTuple):
    """One capability: its ``phrases`` are sets of stems, ``defining`` the stems of its definition and name.

    ``products`` are the stems that name a product.
    """

    name: str
    definition: str
    phrases: tuple[frozenset[str], ...]
    defining: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()


class TagMatch(NamedTuple):
    """A tag that a need calls for: how sure (0…1), and which of the need's stems it stands for, how well (0…1)."""

    name: str
    confidence: float
    covers: Mapping[str, float]


class Taxonomy:
    """All tags, with an index from stems to the phrases that hold them."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        self.tags: dict[str, Tag] = {tag.name: tag for tag in tags}
        self.products: frozenset[str] = frozenset[str]().union(*(tag.products for tag in self.tags.values()))
        self._phrases: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for tag in self.tags.values():
            for phrase in tag.phrases:
                for term in phrase:
                    self._phrases.setdefault(term, []).append((tag.name, phrase))

    def of_need(self, terms: Collection[str], pairs: Collection[str] = ()) -> list[TagMatch]:
        """Return the tags that a need made of the stems ``terms`` calls for, surest first.

        ``pairs`` are neighbours written as one word; a tag may know them so, but nothing is missing without them.
        """
        asked = frozenset(terms)
        held = asked.union(pairs)
        covers: dict[str, dict[str, float]] = {}
        for term in held:
            for tag, phrase in self._phrases.get(term, ()):
                share = _share(phrase, held)
                own = covers.setdefault(tag, {})
                own[term] = max(own.get(term, 0.0), share)
        for tag, own in covers.items():
            # A whole phrase makes the tag certain, and with it the other words of its definition.
            floor = (
                _DEFINING_SURE if any(share == 1.0 and term not in LIGHT for term, share in own.items()) else _DEFINING
            )
            own.update({term: max(own.get(term, 0.0), floor) for term in self.tags[tag].defining & asked})
        total = sum(map(weight_of, asked)) or 1.0
        matches = [
            TagMatch(tag, min(1.0, sum(weight_of(term) * share for term, share in own.items()) / total), own)
            for tag, own in covers.items()
        ]
        sure = [match for match in matches if match.confidence >= LEAST_CONFIDENCE]
        return sorted(sure, key=lambda match: (-match.confidence, match.name))

    def of_thing(self, terms: Collection[str]) -> dict[str, float]:
        """Return the tags whose phrases a thing described by the stems ``terms`` wholly holds, and how sure each is.

        One phrase of several words, or two of one word, are needed: single words are ambiguous. Each two stems more
        halve the doubt.
        """
        held = frozenset(terms)
        seen: dict[str, set[frozenset[str]]] = {}
        for term in held:
            for tag, phrase in self._phrases.get(term, ()):
                if phrase <= held and not phrase <= LIGHT:
                    seen.setdefault(tag, set()).add(phrase)
        lengths = {tag: sum(map(len, seen[tag])) for tag in sorted(seen)}
        return {tag: round(1.0 - 0.5 ** (length / 2), 2) for tag, length in lengths.items() if length >= 2}

    def normal(self, tag: str) -> tuple[str, float] | None:
        """Return the tag that is meant by one that someone else gave, and how sure: theirs are free words."""
        if tag in self.tags:
            return tag, _GIVEN
        phrase = frozenset(need_stems(tag.replace(".", " ")))
        meant = sorted({name for term in phrase for name, known in self._phrases.get(term, ()) if known == phrase})
        return (meant[0], _GIVEN / len(meant)) if meant and not phrase <= LIGHT else None

    def phrase_length(self, term: str) -> int:
        """Return the length in stems of the shortest phrase that holds a stem; 0 when none does."""
        return min((len(phrase) for _, phrase in self._phrases.get(term, ())), default=0)

    def words(self, tag: str) -> frozenset[str]:
        """Return the stems that stand for ``tag`` by themselves (phrases of one word)."""
        return frozenset(
            term for phrase in self.tags[tag].phrases if len(phrase) == 1 for term in phrase if term not in LIGHT
        )


def _share(phrase: frozenset[str], held: frozenset[str]) -> float:
    """Return how much of a phrase the need holds; half a phrase stands for less than half of its meaning."""
    share = sum(map(weight_of, phrase & held)) / (sum(map(weight_of, phrase)) or 1.0)
    return share if share == 1.0 else 0.6 * share


def parse(text: str) -> Taxonomy:
    """Read a taxonomy from TOML. Raises :class:`ConfigError` when it has another form."""
    try:
        rows = tomllib.loads(text)["tag"]
        return Taxonomy(_tag(row["name"], row["definition"], row["words"], row.get("products", [])) for row in rows)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"the taxonomy cannot be read: {error!r}", "reinstall vsm-mcp") from error


def _tag(name: str, definition: str, words: list[str], products: list[str]) -> Tag:
    phrases = {frozenset(need_stems(word)) for word in words} | {frozenset(stems(name.replace(".", " ")))}
    defining = frozenset(stems(f"{definition} {name.replace('.', ' ')}")) - LIGHT
    phrases.add(frozenset(stems(definition)))
    named = frozenset(stem for product in products for stem in need_stems(product))
    return Tag(name, definition, tuple(sorted((phrase for phrase in phrases if phrase), key=sorted)), defining, named)
