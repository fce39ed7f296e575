"""Which tools a trial may call, and with what. Pure.

The rule: a tool is called to do its work only where its own annotations say that this changes nothing
(``readOnlyHint`` true and ``destructiveHint`` not true) and no argument has to be made up: it is given those that its
schema has a default, a constant or a list of values for. Every other call is one that must be refused: of a tool that
does not exist. No call that may change or destroy something is ever made; annotations may lie, and the sandbox without
network and secrets holds what does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_TOOLS: Final = 10
_MISSING: Final = object()


def safe_calls(tools: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Return the tools that may be called, each with the arguments for it; ``MAX_TOOLS`` at most."""
    found: list[tuple[Mapping[str, Any], dict[str, Any]]] = []
    for tool in tools:
        arguments = arguments_for(tool) if changes_nothing(tool) else None
        if arguments is not None and isinstance(tool.get("name"), str):
            found.append((tool, arguments))
    return found[:MAX_TOOLS]


def changes_nothing(tool: Mapping[str, Any]) -> bool:
    """Return whether a tool says of itself that calling it changes nothing."""
    said = tool.get("annotations")
    return isinstance(said, Mapping) and said.get("readOnlyHint") is True and said.get("destructiveHint") is not True


def arguments_for(tool: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return arguments that the schema itself gives; ``None`` where one would have to be made up."""
    schema = tool.get("inputSchema")
    if not isinstance(schema, Mapping) or any(word in schema for word in ("anyOf", "allOf", "oneOf", "$ref", "if")):
        return None
    required, properties = schema.get("required", []), schema.get("properties", {})
    if not isinstance(required, list) or not isinstance(properties, Mapping):
        return None
    values = {name: _given(properties.get(name)) for name in required if isinstance(name, str)}
    return None if any(value is _MISSING for value in values.values()) else values


def _given(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return _MISSING
    for word in ("default", "const"):
        if word in schema:
            return schema[word]
    listed = schema.get("enum")
    return listed[0] if isinstance(listed, list) and listed else _MISSING
