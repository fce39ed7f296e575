"""What is known of a value: its constant text, the dotted name it stands for, its tags, its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vsm_mcp.vetting.code.program import Function

_MOST_FIELDS: Final = 400


@dataclass(slots=True, eq=False)
class Value:
    """``text`` holds NUL where a part is not known; ``fields`` is ``None`` for what is no record, array or tuple.

    Never changed once it is made; said here and not by ``frozen``, which makes making one three times as slow.
    """

    text: str | None = None
    path: str = ""
    tags: frozenset[str] = frozenset()
    function: Function | None = None
    fields: Mapping[str, Value] | None = None


NOTHING: Final = Value()


def merge(
    values: Iterable[Value],
    *,
    text: str | None = None,
    tags: frozenset[str] | set[str] = frozenset(),
    fields: Mapping[str, Value] | None = None,
    like: Value | None = None,
    path: str = "",
) -> Value:
    """Return a value with the tags of all ``values``; it is called, and made of, what ``like`` is."""
    every = tags if isinstance(tags, frozenset) else frozenset(tags)
    for value in values:
        if value.tags:
            every = every | value.tags if every else value.tags
    if like is not None:
        fields = fields if fields is not None else like.fields
        path = path or like.path
    if fields is not None and len(fields) > _MOST_FIELDS:
        fields = None
    return Value(text=text, path=path, tags=every, function=like.function if like else None, fields=fields)
