"""Definitions as a person can compare them: in lines, with nothing in them that hides itself. Pure."""

from __future__ import annotations

import difflib
import json
from typing import Final

from vsm_mcp.model.definition import Definition

_MAX_LINES: Final = 400
_WIDTH: Final = 160


def changed_lines(before: Definition | None, after: Definition | None) -> list[str]:
    """Return the unified difference of two definitions (``None``: there is none), without its heads.

    At most 400 lines, and then how many more there are. Whatever does not print is escaped, tag and bidi characters
    among it; long lines are broken, so that what is at their end is seen.
    """
    old, new = (_broken(readable(each)) if each is not None else [] for each in (before, after))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
    more = len(lines) - _MAX_LINES
    return lines[:_MAX_LINES] + ([f"… and {more} lines more"] if more > 0 else [])


def _broken(text: str) -> list[str]:
    return [line[at : at + _WIDTH] for line in text.split("\n") for at in range(0, len(line) or 1, _WIDTH)]


def readable(item: Definition) -> str:
    """Return a definition in lines, every character that does not print escaped."""
    try:
        text = json.dumps(json.loads(item.raw), indent=2, sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = item.raw.decode("utf-8", "replace")
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
