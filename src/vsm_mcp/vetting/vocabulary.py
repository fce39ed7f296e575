"""Which families of words a text holds, sentence by sentence: the terms of ``data/vocabulary.toml``, read once. Pure.

A term is matched over a row of words, never over letters, and no gap is longer than fifteen words: what a text costs is
proportional to its length, whatever is in it.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

MAX_WORDS: Final = 20_000
# Lists without a full stop are no sentence: what is so far apart is not said together.
_LONGEST: Final = 50
# Scripts that set no blanks between words are read letter by letter.
_WORD: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W_]+|(?P<end>[.!?;。！？；]+(?=\s|$|[\"')*_`])|\n| [-•*] )"
)
_SHORTENED: Final = ((re.compile(r"\bcan'?t\b|\bcannot\b"), "can not"), (re.compile(r"n't\b"), " not"))
_LATIN_VERB: Final = re.compile(r"[a-z]+")

_OPEN: Final = frozenset("`'\"~/,()&")

Slot = tuple[frozenset[str], tuple[str, ...]] | int


class Mark(msgspec.Struct, frozen=True):
    """One term of one ``family`` in one ``sentence``: from ``start`` to ``end`` of the folded text (characters)."""

    family: str
    sentence: int
    start: int
    end: int


class Words(msgspec.Struct, frozen=True):
    """A folded text as words: each with its place, and the number of its sentence."""

    words: list[str]
    places: list[tuple[int, int]]
    sentences: list[int]


def split(text: str) -> Words:
    """Return the words of a folded text (at most ``MAX_WORDS``) and where its sentences end.

    A line end in the middle of a sentence ends none: descriptions are often wrapped.
    """
    words: list[str] = []
    places: list[tuple[int, int]] = []
    sentences: list[int] = []
    sentence = since = 0
    for match in _WORD.finditer(text):
        if match["end"] is None:
            if since >= _LONGEST:
                sentence, since = sentence + 1, 0
            since += 1
            words.append(match[0])
            places.append(match.span())
            sentences.append(sentence)
            if len(words) >= MAX_WORDS:
                break
        elif match["end"] != "\n" or not _continues(text, match.end()):
            sentence, since = sentence + 1, 0
    return Words(words, places, sentences)


def _continues(text: str, place: int) -> bool:
    before, after = text[place - 2 : place - 1], text[place : place + 1]
    return (before.isalnum() or before in _OPEN) and (after.isalnum() or after in _OPEN)


def expand(text: str) -> str:
    """Return folded text with shortened negations written out, as the terms expect them."""
    for pattern, full in _SHORTENED:
        text = pattern.sub(full, text)
    return text


def marks(read: Words) -> Iterator[Mark]:
    """Yield every term found, in the order of the text."""
    table, prefixes = _terms()
    words, sentences = read.words, read.sentences
    count = len(words)
    for place, word in enumerate(words):
        starting = table.get(word, ())
        if word[:3] in prefixes:
            starting = [*starting, *(term for prefix, term in prefixes[word[:3]] if word.startswith(prefix))]
        if not starting:
            continue
        limit = place
        while limit < count and limit < place + 40 and sentences[limit] == sentences[place]:
            limit += 1
        seen: set[str] = set()
        for family, rest in starting:
            if family in seen:
                continue
            end = _matched(rest, 0, words, place + 1, limit)
            if end:
                seen.add(family)
                yield Mark(family, sentences[place], read.places[place][0], read.places[end - 1][1])


def _matched(slots: Sequence[Slot], index: int, words: list[str], place: int, limit: int) -> int:
    """Return the place after the last word when the slots fit from ``place`` on, else 0."""
    if index == len(slots):
        return place
    slot = slots[index]
    if isinstance(slot, int):
        for skipped in range(slot + 1):
            if place + skipped > limit:
                break
            end = _matched(slots, index + 1, words, place + skipped, limit)
            if end:
                return end
        return 0
    if place >= limit:
        return 0
    exact, prefixes = slot
    word = words[place]
    if word in exact or (prefixes and word.startswith(prefixes)):
        return _matched(slots, index + 1, words, place + 1, limit)
    return 0


Term = tuple[str, tuple[Slot, ...]]


@cache
def _terms() -> tuple[dict[str, list[Term]], dict[str, list[tuple[str, Term]]]]:
    """Return the terms by their first word, and those whose first word is open-ended by its first three letters."""
    table: dict[str, list[Term]] = {}
    prefixes: dict[str, list[tuple[str, Term]]] = {}
    for family, row in source()["family"].items():
        for line in row["terms"].strip().splitlines():
            for slots in _parsed(line):
                first, rest = slots[0], slots[1:]
                if isinstance(first, int):
                    raise ValueError(f"the term {line!r} of {family} begins with a gap")
                for word in sorted(first[0]):
                    table.setdefault(word, []).append((family, rest))
                for prefix in first[1]:
                    prefixes.setdefault(prefix[:3], []).append((prefix, (family, rest)))
    for each in table.values():
        each.sort(key=lambda term: len(term[1]))
    return table, prefixes


def _parsed(line: str) -> Iterator[tuple[Slot, ...]]:
    """Yield the rows of slots a term stands for: more than one where a word may be missing or is several words."""
    choices = [_slot(part) for part in line.split()]
    for row in itertools.product(*choices):
        yield tuple(itertools.chain.from_iterable(row))


def _slot(part: str) -> list[tuple[Slot, ...]]:
    if re.fullmatch(r"_\d+", part):
        return [(int(part[1:]),)]
    optional = part.endswith("?")
    exact: set[str] = set()
    prefixes: list[str] = []
    several: list[tuple[Slot, ...]] = []
    for choice in _choices(part.rstrip("?")):
        if choice.endswith("*"):
            prefixes.append(choice[:-1])
            continue
        for form in forms(choice):
            words = [match[0] for match in _WORD.finditer(form) if match["end"] is None]
            if len(words) == 1:
                exact.add(words[0])
            else:
                several.append(tuple((frozenset((word,)), ()) for word in words))
    found: list[tuple[Slot, ...]] = [((frozenset(exact), tuple(prefixes)),)] if exact or prefixes else []
    return [*found, *several, *([()] if optional else [])]


def _choices(part: str) -> Iterator[str]:
    for choice in part.split("/"):
        if choice.startswith("@"):
            yield from source()["lists"][choice[1:]].split()
        elif choice:
            yield choice


def forms(word: str) -> Iterable[str]:
    """Return the regular forms of a word marked with ``~``, else the word alone."""
    if not word.endswith("~"):
        return (word,)
    stem = word[:-1]
    if stem.endswith("e"):
        return (stem, f"{stem}s", f"{stem}d", f"{stem[:-1]}ing")
    if re.search(r"[^aeiou]y$", stem):
        return (stem, f"{stem[:-1]}ies", f"{stem[:-1]}ied", f"{stem}ing")
    if re.search(r"(?:s|x|z|ch|sh)$", stem):
        return (stem, f"{stem}es", f"{stem}ed", f"{stem}ing")
    found = [stem, f"{stem}s", f"{stem}ed", f"{stem}ing"]
    if re.search(r"[^aeiou][aeiou][^aeiouwxy]$", stem):
        found += [f"{stem}{stem[-1]}ed", f"{stem}{stem[-1]}ing"]
    return found


def families() -> tuple[str, ...]:
    """Return the names of the families, in the order of the file."""
    return tuple(source()["family"])


@cache
def source() -> dict[str, Any]:
    """Return the vocabulary as the file holds it."""
    return tomllib.loads(raw().decode())


@cache
def raw() -> bytes:
    """Return the file's bytes, for the digest in the evidence."""
    return files("vsm_mcp.vetting").joinpath("data/vocabulary.toml").read_bytes()
