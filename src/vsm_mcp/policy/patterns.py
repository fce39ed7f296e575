"""Patterns over references and tool names: shell-style wildcards, compared without case."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(text: str, patterns: Iterable[str]) -> str:
    """Return the first pattern that ``text`` matches, or an empty string.

    ``*`` stands for any characters. A pattern without a version also matches every version of that name.
    """
    lowered = text.lower()
    for pattern in patterns:
        plain = pattern.strip().lower()
        if plain and (fnmatchcase(lowered, plain) or lowered.startswith((f"{plain}@", f"{plain}=="))):
            return pattern
    return ""


def tool_denied(name: str, patterns: Iterable[str]) -> bool:
    """Say whether the exposed name of a tool (``server__tool``) is denied by one of the patterns."""
    return bool(matches(name, patterns))
