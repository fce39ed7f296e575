"""What a tool's schema in the code says of its parameters: which of them can hold no free text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from vsm_mcp.vetting.code.value import NOTHING, Value

_CLOSED: Final = re.compile(r"(?:^|\.)(?:enum|nativeEnum|number|int|boolean|literal|bigint|date)\(\)")
_WITHIN: Final = ("inputSchema", "parameters", "schema")


def closed_choices(args: Iterable[Value]) -> dict[str, Value]:
    """Return, by name, the parameters that a schema among ``args`` of a call holds to numbers or a fixed choice."""
    found: dict[str, Value] = {}
    for arg in args:
        fields = arg.fields or {}
        for shape in (fields, *((fields[name].fields or {}) for name in _WITHIN if name in fields)):
            found |= _closed(shape)
    return found


def _closed(shape: Mapping[str, Value]) -> dict[str, Value]:
    return {name: NOTHING for name, value in shape.items() if value.path and _CLOSED.search(value.path)}
