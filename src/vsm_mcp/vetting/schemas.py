"""Whether the schemas of a server's tools are JSON Schema, as the specification asks. Pure; nothing is fetched.

Specification 2026-07-28, "Tools": schemas are JSON Schema 2020-12 unless ``$schema`` says otherwise, an input schema
is an object schema, and a ``$ref`` to the network must not be followed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.deferred import deferred
from vsm_mcp.model.definition import Definition, ItemKind, Offer

if TYPE_CHECKING:
    import jsonschema
    import jsonschema.validators
else:
    jsonschema = deferred("jsonschema")

_MAX_DEPTH: Final = 100


class SchemaReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: ``checked`` of ``total`` tools were looked at; ``wrong`` holds (tool, what is wrong)."""

    total: int
    checked: int
    wrong: tuple[tuple[str, str], ...] = ()


def check_schemas(offer: Offer, *, budget_seconds: float, clock: Callable[[], float] = time.monotonic) -> SchemaReport:
    """Look at the input and output schema of every tool; stop looking when ``budget_seconds`` are used up."""
    tools = offer.of(ItemKind.TOOL)
    end = clock() + budget_seconds
    wrong: list[tuple[str, str]] = []
    checked = 0
    for tool in tools:
        if clock() > end:
            break
        wrong += [(tool.name, problem) for problem in problems_of(tool)]
        checked += 1
    return SchemaReport(total=len(tools), checked=checked, wrong=tuple(wrong))


def duplicates(offer: Offer) -> tuple[str, ...]:
    """Return the names that more than one tool has, sorted."""
    seen: dict[str, int] = {}
    for tool in offer.of(ItemKind.TOOL):
        seen[tool.name] = seen.get(tool.name, 0) + 1
    return tuple(sorted(name for name, count in seen.items() if count > 1))


def problems_of(tool: Definition) -> Iterator[str]:
    """Yield what is wrong with the schemas of one tool, in words."""
    try:
        definition = json.loads(tool.raw)
    except (ValueError, RecursionError):
        yield "the definition is not JSON"
        return
    if not isinstance(definition, dict):
        yield "the definition is not an object"
        return
    schema = definition.get("inputSchema")
    if not isinstance(schema, dict):
        yield "inputSchema is missing or not an object"
    elif schema.get("type") != "object":
        yield 'inputSchema has no type "object"'
    for word in ("inputSchema", "outputSchema"):
        if isinstance(definition.get(word), dict):
            yield from _problems(word, definition[word])


def _problems(word: str, schema: dict[str, Any]) -> Iterator[str]:
    for reference in _references(schema, 0):
        if not reference.startswith("#"):
            yield f"{word} refers to {reference[:80]!a} outside of itself"
            break
    try:
        error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(schema))
    except RecursionError:
        yield f"{word} is nested too deeply"
        return
    if error is not None:
        yield f"{word} is not valid JSON Schema at {error.json_path}: {ascii(error.message[:120])[1:-1]}"


def _validator(schema: dict[str, Any]) -> Any:
    declared = schema.get("$schema")
    return _for_dialect(declared if isinstance(declared, str) else "")


@cache
def _for_dialect(declared: str) -> Any:
    default = jsonschema.Draft202012Validator
    kind: Any = jsonschema.validators.validator_for({"$schema": declared}, default=default) if declared else default
    return kind(kind.META_SCHEMA)


def _references(value: Any, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference
        for each in value.values():
            yield from _references(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each, depth + 1)
