"""Whether a version is one that an advisory is about. Pure.

The algorithm is that of the OSV schema ("Evaluation", https://ossf.github.io/osv-schema/); versions are ordered as npm
(Semantic Versioning 2.0.0, section 11) and PyPI (PEP 440) order them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from packaging.version import InvalidVersion, Version

NPM: Final = "npm"
PYPI: Final = "PyPI"

_NUMBERS: Final = r"[v=\s]*(\d{1,18})(?:\.(\d{1,18}))?(?:\.(\d{1,18}))?"
_SEMVER: Final = re.compile(
    _NUMBERS + r"(?:-([0-9A-Za-z.-]+)|([A-Za-z][0-9A-Za-z.-]*))?(?:\+[0-9A-Za-z.-]+)?\s*\Z", re.ASCII
)
_START: Final = "0"  # before every version, says the schema: pre-releases of 0.0.0 come after it
_EARLIEST: Final = "0.dev0"


class Range(msgspec.Struct, frozen=True):
    """One range of an advisory: ``type`` is ``SEMVER``, ``ECOSYSTEM`` or ``GIT``; ``events`` as the record has them."""

    type: str = ""
    events: tuple[Mapping[str, str], ...] = ()


class Unordered(ValueError):
    """A version that its ecosystem's rules do not order."""


@cache
def order(ecosystem: str, version: str) -> Any:
    """Return what versions of an ecosystem are sorted by. Raises :class:`Unordered`."""
    if ecosystem == PYPI:
        try:
            return Version(_EARLIEST if version == _START else version)
        except InvalidVersion as error:
            raise Unordered(version[:80]) from error
    found = _SEMVER.match(version)
    if found is None:
        raise Unordered(version[:80])
    if version == _START:
        return (0, 0, 0), False, ()
    numbers = tuple(int(part or 0) for part in found.group(1, 2, 3))
    pre = found.group(4) or found.group(5)
    # a release comes after all its pre-releases; in these, numbers come before words
    words = tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in pre.split(".")) if pre else ()
    return numbers, not pre, words


def same(ecosystem: str, one: str, other: str) -> bool:
    """Return whether two texts are the same version."""
    if one == other:
        return True
    try:
        return bool(order(ecosystem, one) == order(ecosystem, other))
    except Unordered:
        return False


def within(ecosystem: str, version: str, ranges: Iterable[Range]) -> bool:
    """Return whether a version lies in any of the ranges. Raises :class:`Unordered`."""
    return any(_within(ecosystem, version, each) for each in ranges if each.type in {"SEMVER", "ECOSYSTEM"})


def fixed_in(ecosystem: str, version: str, ranges: Iterable[Range]) -> str:
    """Return the first version after ``version`` that a range says is mended, or ``""``."""
    later = []
    for each in ranges:
        for event in each.events:
            try:
                if "fixed" in event and order(ecosystem, event["fixed"]) > order(ecosystem, version):
                    later.append((order(ecosystem, event["fixed"]), event["fixed"]))
            except Unordered:
                continue
    return min(later)[1] if later else ""


def _within(ecosystem: str, version: str, given: Range) -> bool:
    this = order(ecosystem, version)
    limits = [event["limit"] for event in given.events if "limit" in event]
    if limits and not any(limit == "*" or this < order(ecosystem, limit) for limit in limits):
        return False
    placed = [(order(ecosystem, at), kind) for event in given.events if (kind := _kind(event)) and (at := event[kind])]
    inside = False
    # at one version, what ends comes before what begins anew, and what is affected last comes after both
    for at, kind in sorted(placed, key=lambda pair: (pair[0], _KINDS.index(pair[1]))):
        if kind == "introduced" and this >= at:
            inside = True
        elif (kind == "fixed" and this >= at) or (kind == "last_affected" and this > at):
            inside = False
    return inside


def _kind(event: Mapping[str, str]) -> str:
    return next((kind for kind in _KINDS if kind in event), "")


_KINDS: Final = ("fixed", "introduced", "last_affected")
