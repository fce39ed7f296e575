"""Ranges of node's versions, as npm writes them (``engines.node``). Pure."""

from __future__ import annotations

import re
from typing import Final

_RANGE: Final = re.compile(r"(>=|<=|>|<|\^|~|=)?\s*v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?")


def node_fits(here: str, wanted: str) -> bool | None:
    """Return whether a Node version meets ``engines.node`` (npm's ranges); ``None`` where that cannot be read."""
    version = _number(here)
    if version is None:
        return None
    answers = [_all_fit(version, part) for part in wanted.split("||")]
    return None if None in answers and True not in answers else True in answers


def _number(text: str) -> tuple[int, int, int] | None:
    parts = re.match(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", text.strip())
    return (int(parts[1]), int(parts[2] or 0), int(parts[3] or 0)) if parts else None


def _all_fit(version: tuple[int, int, int], text: str) -> bool | None:
    text = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", text.strip())
    if text in {"", "*", "x", "latest", "node"}:
        return True
    bounds = _RANGE.findall(text)
    return all(_one_fits(version, *bound) for bound in bounds) if bounds else None


def _one_fits(version: tuple[int, int, int], sign: str, *given: str) -> bool:
    known = [int(part) for part in given if part.isdigit()]
    low = (known[0], known[1] if len(known) > 1 else 0, known[2] if len(known) > 2 else 0)
    head = version[: len(known)]
    match sign:
        case ">=":
            return version >= low
        case ">":
            return head > tuple(known)
        case "<":
            return version < low
        case "<=":
            return head <= tuple(known)
        case "^":
            return version >= low and version[0] == low[0]
        case "~":
            return version >= low and version[: min(2, len(known))] == low[: min(2, len(known))]
        case _:
            return head == tuple(known)
