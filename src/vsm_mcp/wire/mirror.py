"""Arguments that a modern server wants repeated as ``Mcp-Param-*`` headers.

Specification 2026-07-28, "Transports: Streamable HTTP: Custom headers from tool parameters": a property of a tool's
input schema may carry ``x-mcp-header``; over HTTP a client MUST repeat its value, and MUST leave out tools whose
annotations are invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.unreadable import UNREADABLE

_MARK: Final = b"x-mcp-header"
_KEY: Final = "x-mcp-header"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SCALARS: Final = frozenset({"string", "integer", "boolean"})
_MAPS: Final = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})
_SCHEMAS: Final = frozenset(
    {"items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "unevaluatedProperties"}
    | {"not", "if", "then", "else", "contentSchema", "allOf", "anyOf", "oneOf", "prefixItems"}
)

Path = tuple[str, ...]


class Mirror:
    """Which arguments of which tools are repeated, learnt from the tools' own definitions."""

    def __init__(self) -> None:
        self._tools: dict[str, dict[Path, str]] = {}

    def learn(self, tools: list[Raw]) -> list[Raw]:
        """Take note of a fresh list of tools; returns it without those whose annotations are invalid."""
        self._tools = {}
        return [raw for raw in tools if _MARK not in bytes(raw) or self._learn(raw)]

    def headers(self, tool: str | None, arguments: object) -> dict[str, str]:
        """Return the values to repeat for one call, by header name without its prefix."""
        wanted = self._tools.get(tool or "")
        if not wanted:
            return {}
        values = _decoded(arguments)
        found = ((name, _text(_at(values, path))) for path, name in wanted.items())
        return {name: text for name, text in found if text is not None}

    def _learn(self, raw: Raw) -> bool:
        try:
            tool = msgspec.json.decode(raw)
        except UNREADABLE:
            return False
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            return True
        found: dict[Path, str] = {}
        for path, schema in _positions(tool.get("inputSchema")):
            if _KEY in schema:
                name = schema[_KEY]
                if not path or not _valid(name, schema) or name.lower() in {known.lower() for known in found.values()}:
                    return False
                found[path] = name
        self._tools[tool["name"]] = found
        return True


def _valid(name: object, schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return isinstance(name, str) and bool(_TOKEN.fullmatch(name)) and isinstance(kind, str) and kind in _SCALARS


def _positions(root: object) -> Iterator[tuple[Path | None, dict[str, Any]]]:
    """Yield every subschema with its chain of ``properties``; ``None`` where the chain is broken."""
    stack: list[tuple[Path | None, object]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, list):
            stack.extend((None, part) for part in node)
        if not isinstance(node, dict):
            continue
        yield path, node
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                stack.extend((None if path is None else (*path, name), part) for name, part in value.items())
            elif key in _SCHEMAS:
                stack.append((None, value))
            elif key in _MAPS and isinstance(value, dict):
                stack.extend((None, part) for part in value.values())


def _decoded(arguments: object) -> object:
    if isinstance(arguments, (Raw, bytes)):
        try:
            return msgspec.json.decode(arguments)
        except UNREADABLE:
            return None
    return arguments


def _at(value: object, path: Path) -> object:
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return _decoded(value) if isinstance(value, Raw) else value


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None
