"""What families of words come to together: the rows of ``data/compositions.toml`` over a text's sentences. Pure."""

from __future__ import annotations

import bisect
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from vsm_mcp.vetting import signs, vocabulary

HINTS: Final = "text.many_hints"
_WINDOWS: Final = {"sentence": 0, "near": 1}


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """One row: ``rule`` is found where each group of ``all`` has a family and ``none`` has none, ``within`` a window.

    ``within`` is ``sentence``, ``near`` (with the sentences before and after) or ``text``; ``where`` limits the row to
    texts of some roles (``description``, ``parameter``, ``instructions``, ``other``).
    """

    rule: str
    all: tuple[tuple[str, ...], ...]
    none: tuple[str, ...] = ()
    within: str = "near"
    where: tuple[str, ...] = ()
    why: str = ""


class Hints(msgspec.Struct, frozen=True):
    """What each family weighs, from which sum on a window asks for a look, and what speaks against it."""

    enough: float
    none: tuple[str, ...]
    weights: dict[str, float]


class Reading(msgspec.Struct, frozen=True):
    """A folded ``text`` with the families of each of its sentences, and where each sentence begins and ends."""

    text: str
    families: dict[int, frozenset[str]]
    places: dict[int, tuple[int, int]]


class Match(msgspec.Struct, frozen=True):
    """A composition's ``rule`` in a text, with the ``said`` passage."""

    rule: str
    said: str


def read(folded: str, extra: Iterable[tuple[str, int, int]] = ()) -> Reading:
    """Return the families of each sentence of a folded text; ``extra`` are further signs (family, start, end)."""
    text = vocabulary.expand(folded)
    split = vocabulary.split(text)
    families: dict[int, set[str]] = {}
    for mark in vocabulary.marks(split):
        families.setdefault(mark.sentence, set()).add(mark.family)
    starts = [start for start, _ in split.places]
    for family, start, _ in (*signs.found(text), *extra):
        place = max(0, bisect.bisect_right(starts, start) - 1)
        if place + 1 < len(starts) and starts[place] < start:
            place += split.places[place][1] <= start
        families.setdefault(split.sentences[place] if split.sentences else 0, set()).add(family)
    places: dict[int, tuple[int, int]] = {}
    for number, (start, end) in zip(split.sentences, split.places, strict=True):
        places[number] = (places.get(number, (start, end))[0], end)
    return Reading(text, {number: frozenset(found) for number, found in families.items()}, places)


def matches(reading: Reading, role: str = "description") -> list[Match]:
    """Return the compositions that hold in a text of one role, each rule once; many hints where there is none."""
    found: dict[str, Match] = {}
    if not reading.families:
        return []
    whole = frozenset().union(*reading.families.values())
    for row in compositions():
        if row.rule in found or (row.where and role not in row.where) or not _holds(row, whole, by_none=False):
            continue
        place = _place(row, reading, whole)
        if place is not None:
            found[row.rule] = Match(row.rule, _said(reading, place, row.within))
    hinted = None if found else _hinted(reading)
    return [hinted] if hinted else list(found.values())


def _hinted(reading: Reading) -> Match | None:
    """Return the window whose families weigh most, where that is enough."""
    hints = _hints()
    best, place = 0.0, -1
    for number in reading.families:
        window = _window(reading, number, _WINDOWS["near"])
        weight = 0.0 if window & set(hints.none) else sum(hints.weights.get(family, 0.0) for family in window)
        if weight > best:
            best, place = weight, number
    return Match(HINTS, _said(reading, place, "near")) if best >= hints.enough else None


def _window(reading: Reading, number: int, reach: int) -> frozenset[str]:
    near = range(number - reach, number + reach + 1)
    return frozenset().union(*(reading.families.get(each, frozenset()) for each in near))


def _place(row: Composition, reading: Reading, whole: frozenset[str]) -> int | None:
    """Return the sentence in whose window a row holds."""
    if row.within == "text":
        return min(reading.families) if _holds(row, whole) else None
    reach = _WINDOWS[row.within]
    for number in sorted(reading.families):
        if _holds(row, _window(reading, number, reach)):
            return number
    return None


def _holds(row: Composition, window: frozenset[str], *, by_none: bool = True) -> bool:
    return all(not window.isdisjoint(group) for group in row.all) and not (by_none and window & set(row.none))


def _said(reading: Reading, number: int, within: str) -> str:
    reach = _WINDOWS.get(within, 0)
    shown = [reading.places[each] for each in range(number - reach, number + reach + 1) if each in reading.places]
    return reading.text[shown[0][0] : shown[-1][1]] if shown else reading.text[:200]


@cache
def compositions() -> tuple[Composition, ...]:
    """Return the rows of the file, in its order."""
    return tuple(_row(row) for row in _table()["composition"])


def weighed() -> frozenset[str]:
    """Return the families that count as hints."""
    return frozenset(_hints().weights) | frozenset(_hints().none)


@cache
def _hints() -> Hints:
    return msgspec.convert(_table()["hints"], Hints)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(raw().decode())


def _row(row: Mapping[str, Any]) -> Composition:
    return msgspec.convert({**row, "all": [group.split("|") for group in row["all"]]}, Composition)


@cache
def raw() -> bytes:
    """Return the file's bytes, for the digest in the evidence."""
    return files("vsm_mcp.vetting").joinpath("data/compositions.toml").read_bytes()
