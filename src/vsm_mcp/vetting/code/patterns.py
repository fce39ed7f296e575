"""The yara-x rules of ``vetting/data/code.yar``: for any file, in any language, at hundreds of MB a second."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

import yara_x

from vsm_mcp.model.finding import Finding
from vsm_mcp.vetting.code import rules

_SECONDS: Final = 5
_BY_NAME: Final = {rule.id.removeprefix("code."): rule for rule in rules.RULES}


@functools.cache
def _source() -> str:
    return resources.files("vsm_mcp.vetting").joinpath("data/code.yar").read_text("utf-8")


@functools.cache
def _rules() -> yara_x.Rules:
    return yara_x.compile(_source())


def match(file: str, data: bytes) -> list[Finding]:
    """Return what the patterns find in a file. Raises :class:`TimeoutError` after five seconds."""
    scanner = yara_x.Scanner(_rules())
    scanner.set_timeout(_SECONDS)
    try:
        matched = scanner.scan(data).matching_rules
    except yara_x.TimeoutError as error:
        raise TimeoutError(f"the patterns took longer than {_SECONDS} s") from error
    found: list[Finding] = []
    for rule in matched:
        places = [each for pattern in rule.patterns for each in pattern.matches]
        start = min((place.offset for place in places), default=0)
        line = data.count(b"\n", 0, start) + 1
        found.append(_BY_NAME[rule.identifier].found(f"{file}:{line}", f"{len(places)} such places"))
    return found
