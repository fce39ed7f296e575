"""``key=value`` arguments of the command line, read as the types that the tool's schema names. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vsm_mcp.errors import BadArgument
from vsm_mcp.model.definition import ItemKind, Offer


def typed_arguments(typed: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as JSON types. Raises :class:`BadArgument` for a value that does not fit its type.

    ``schema`` is the tool's input schema; a key it does not name, and one of type string, is sent as text.
    """
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    return {key: _value(key, text, _types(known.get(key))) for key, text in typed.items()}


def schema_of(offer: Offer | None, tool: str) -> dict[str, Any]:
    """Return the input schema of a tool as its server defined it; empty where there is none."""
    for item in offer.of(ItemKind.TOOL) if offer else ():
        if item.name == tool:
            schema = json.loads(item.raw).get("inputSchema")
            return schema if isinstance(schema, dict) else {}
    return {}


def _types(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return []
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, list):
        return [item for item in kind if isinstance(item, str)]
    return [name for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) for name in _types(part)]


def _value(key: str, text: str, types: list[str]) -> Any:
    if not types or "string" in types:
        return text
    try:
        value = json.loads(text)
    except ValueError as error:
        if "array" in types:
            return [part.strip() for part in text.split(",")]
        raise BadArgument(f"{key}={text!r} is not {' or '.join(types)}", f"write {key}:=JSON to send JSON") from error
    return value
