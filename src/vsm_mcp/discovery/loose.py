"""Reads documents of strangers: what is not of the shape that is looked for counts as empty. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def text(value: Any) -> str:
    """Return a string, or ``""``."""
    return value if isinstance(value, str) else ""


def table(value: Any) -> Mapping[str, Any]:
    """Return a table, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def rows(value: Any) -> Sequence[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list) else ()


def number(value: Any) -> int | None:
    """Return a whole number of at least 0, or ``None``."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def first(given: Mapping[str, Any], *names: str) -> Any:
    """Return the value under the first of ``names`` that is there, or ``None``."""
    return next((given[name] for name in names if given.get(name) is not None), None)
