"""The same server published again under other names: one row, the others counted.

Some publishers mirror hundreds of servers with a prefix of their own; others copy one with its summary unchanged. In
a search each of them would take the original's place several times over.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from vsm_mcp.discovery.index_file import IndexRow, popularity
from vsm_mcp.matching.tokens import stems

_LEAST_STEMS: Final = 4
_LEAST_MIRRORED: Final = 12
_SEPARATOR: Final = re.compile(r"[-_./@]+")


def collapse(rows: Iterable[IndexRow]) -> list[IndexRow]:
    """Return one row for each server, with its republications counted in ``variants``; by registry and name.

    Two packages of one registry are the same when their summaries are (of four telling words at least), or when one
    is the other with the prefix of a publisher that mirrors many.
    """
    rows = sorted(rows, key=lambda row: (row.kind, row.name))
    group = list(range(len(rows)))
    _same_summaries(rows, group)
    mirrors = _mirrors(rows)
    _mirrored_names(rows, group, mirrors)
    groups: dict[int, list[IndexRow]] = defaultdict(list)
    for place, row in enumerate(rows):
        groups[_root(group, place)].append(row)
    kept = [
        msgspec.structs.replace(min(members, key=lambda row: _order(row, mirrors)), variants=len(members) - 1)
        for members in groups.values()
    ]
    return sorted(kept, key=lambda row: (row.kind, row.name))


def _order(row: IndexRow, mirrors: frozenset[str]) -> tuple[float, bool, int, str]:
    return (-popularity(row), _normal(row.name).split("-", 1)[0] in mirrors, len(row.name), row.name)


def _root(group: list[int], place: int) -> int:
    while group[place] != place:
        group[place] = group[group[place]]
        place = group[place]
    return place


def _unite(group: list[int], one: int, other: int) -> None:
    group[_root(group, other)] = _root(group, one)


def _same_summaries(rows: Sequence[IndexRow], group: list[int]) -> None:
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    for place, row in enumerate(rows):
        telling = tuple(stems(row.summary))
        if len(set(telling)) >= _LEAST_STEMS:
            _unite(group, first.setdefault((row.kind, telling), place), place)


def _normal(name: str) -> str:
    return _SEPARATOR.sub("-", name.lower()).strip("-")


def _tails(name: str) -> list[tuple[str, str]]:
    """Return (first word, rest) with up to three words of the front left out: ``iflow-mcp-owner-name`` → ``name``."""
    parts = _normal(name).split("-")
    return [(parts[0], "-".join(parts[cut:])) for cut in range(1, min(4, len(parts)))]


def _mirrors(rows: Sequence[IndexRow]) -> frozenset[str]:
    """Return the first words that mark a mirror: before the whole names of others at least twelve times.

    A fifth of those must hold the original's very summary: a word like "google" begins many names that nobody copied.
    """
    summaries = {(row.kind, _normal(row.name)): stems(row.summary) for row in rows}
    put: Counter[str] = Counter()
    copied: Counter[str] = Counter()
    for row in rows:
        for word, tail in _tails(row.name):
            original = summaries.get((row.kind, tail))
            if original is not None and _telling(tail):
                put[word] += 1
                copied[word] += bool(original) and original == stems(row.summary)
                break
    return frozenset(word for word, count in put.items() if count >= _LEAST_MIRRORED and 5 * copied[word] >= count)


def _telling(name: str) -> bool:
    return bool(set(stems(name)))


def _mirrored_names(rows: Sequence[IndexRow], group: list[int], mirrors: frozenset[str]) -> None:
    places = {(row.kind, _normal(row.name)): place for place, row in enumerate(rows)}
    for place, row in enumerate(rows):
        for word, tail in _tails(row.name) if _normal(row.name).split("-", 1)[0] in mirrors else ():
            original = places.get((row.kind, tail))
            if word in mirrors and original is not None and original != place and _telling(tail):
                _unite(group, original, place)
                break
