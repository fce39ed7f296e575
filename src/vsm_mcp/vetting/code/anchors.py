"""Where in a bundle something could matter: the places of ``vetting/data/anchors.yar``, and constant texts in parts."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from importlib import resources
from typing import Final, NamedTuple

import yara_x

_SECONDS: Final = 10
# one variable of the environment by its name is what every program reads
_ONE_VARIABLE: Final = re.compile(rb"process\s*\.\s*env\b(?:\s*\.\s*\w|\s*\?\.|\s*\[)")
_JOINS: Final = re.compile(rb"\+\s{0,4}['\"`][^'\"`\n]{0,12}['\"`]")
_SHORT_BEFORE: Final = re.compile(rb"['\"`][^'\"`\n]{0,12}['\"`]\s{0,4}\Z")
_LONGEST_BEFORE: Final = 18


class Anchors(NamedTuple):
    """Offsets in bytes: ``(start, end)`` of each place that could matter, in order; where modules get their names."""

    places: list[tuple[int, int]]
    bound: list[int]


def find(source: bytes) -> Anchors:
    """Return the anchors of a bundle's source. Raises :class:`TimeoutError` after ten seconds."""
    scanner = yara_x.Scanner(_rules())
    scanner.set_timeout(_SECONDS)
    try:
        matched = {rule.identifier: rule for rule in scanner.scan(source).matching_rules}
    except yara_x.TimeoutError as error:
        raise TimeoutError(f"looking where to look took longer than {_SECONDS} s") from error
    spans = {name: _spans(rule) for name, rule in matched.items()}
    places = {each for each in spans.get("piece", ()) if not _ONE_VARIABLE.match(source, each[0])}
    return Anchors(sorted({*places, *_pieces_of_text(source)}), sorted({start for start, _ in spans.get("bound", ())}))


def _spans(rule: yara_x.Rule) -> list[tuple[int, int]]:
    found = (each for pattern in rule.patterns for each in pattern.matches)
    return [(each.offset, each.offset + each.length) for each in found]


def _pieces_of_text(source: bytes) -> Iterator[tuple[int, int]]:
    """Yield where two short texts are put together: how a word is kept from those who search for it."""
    for found in _JOINS.finditer(source):
        before = _SHORT_BEFORE.search(source, max(0, found.start() - _LONGEST_BEFORE), found.start())
        if before is not None:
            yield before.start(), found.end()


@functools.cache
def _rules() -> yara_x.Rules:
    return yara_x.compile(resources.files("vsm_mcp.vetting").joinpath("data/anchors.yar").read_text("utf-8"))
