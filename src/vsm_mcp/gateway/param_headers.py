"""``Mcp-Param-*``: tool arguments that HTTP headers repeat (specification 2026-07-28, "Transports: Custom Headers").

A tool's input schema may annotate a property with ``x-mcp-header: NAME``. A modern client then repeats that argument
in ``Mcp-Param-NAME``, and whoever reads the body has to refuse a request whose header and body disagree (-32020).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.unreadable import UNREADABLE

PREFIX: Final = "mcp-param-"
_KEY: Final = "x-mcp-header"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_SENTINEL: Final = re.compile(r"=\?base64\?(.*)\?=\Z")
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_TYPES: Final = frozenset({"string", "integer", "boolean"})
_SINGLE: Final = (
    "items",
    "contains",
    "unevaluatedItems",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
)
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS: Final = ("patternProperties", "dependentSchemas", "$defs", "definitions")


class Rule(msgspec.Struct, frozen=True):
    """One annotated property: where it is in the arguments, its header (lower case), its type."""

    path: tuple[str, ...]
    header: str
    type: str


Rules = tuple[Rule, ...]


def rules_of(schema: bytes | Raw) -> Rules:
    """Return the header rules of a tool's input schema.

    Empty where there is none, and where an annotation is not allowed (not on a primitive property that plain
    ``properties`` lead to, not a header name, not unique): conforming clients do not list such a tool.
    """
    if _KEY.encode() not in bytes(schema):
        return ()
    try:
        positions = list(_positions(msgspec.json.decode(schema)))
    except UNREADABLE:
        return ()
    rules: dict[str, Rule] = {}
    for path, node in positions:
        if _KEY not in node:
            continue
        name, kind = node[_KEY], node.get("type")
        valid = path and isinstance(name, str) and _TOKEN.match(name) and kind in _TYPES
        if not valid or PREFIX + name.lower() in rules:
            return ()
        rules[PREFIX + name.lower()] = Rule(path or (), PREFIX + name.lower(), str(kind))
    return tuple(rules.values())


def disagreement(rules: Rules, arguments: bytes | Raw | None, headers: Mapping[str, list[str]]) -> str:
    """Return in words how headers and arguments disagree; empty when they do not.

    ``headers`` maps lower-case names to all values given. An argument that is absent or ``null`` wants no header.
    """
    try:
        given = {} if arguments is None else msgspec.json.decode(arguments)
    except UNREADABLE:
        return ""
    for rule in rules:
        values = headers.get(rule.header, [])
        wanted = _at(given, rule.path)
        where = ".".join(rule.path)
        if len(values) > 1:
            return f"{rule.header} is given more than once"
        if not values:
            if wanted is not None and _rendered(wanted) is not None:
                return f"{rule.header} is missing and the argument {where} is not"
            continue
        decoded = decoded_value(values[0])
        if wanted is None or decoded is None or not _same(rule.type, wanted, decoded):
            return f"{rule.header} does not match the argument {where}"
    return ""


def decoded_value(value: str) -> str | None:
    """Return what a header value stands for: itself, or what ``=?base64?…?=`` wraps; ``None`` when that is broken."""
    found = _SENTINEL.match(value)
    if found is None:
        return value
    try:
        decoded = base64.b64decode(found[1], validate=True)
        return decoded.decode() if base64.b64encode(decoded).decode() == found[1] else None
    except (binascii.Error, ValueError):
        return None


def _positions(root: Any) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Any]]]:
    """Yield every place of a schema where a schema stands; the path is ``None`` off the chain of ``properties``."""
    waiting: list[tuple[tuple[str, ...] | None, Any]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        properties = node.get("properties")
        if isinstance(properties, dict):
            waiting += [(None if path is None else (*path, key), value) for key, value in properties.items()]
        waiting += [(None, node[key]) for key in _SINGLE if key in node]
        waiting += [(None, value) for key in _LISTS if isinstance(node.get(key), list) for value in node[key]]
        waiting += [(None, value) for key in _MAPS if isinstance(node.get(key), dict) for value in node[key].values()]


def _at(node: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def _rendered(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


def _same(kind: str, value: Any, header: str) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if kind == "integer" and whole and not isinstance(value, bool) and _DECIMAL.match(header) and len(header) < 4000:
        number, _, fraction = header.partition(".")
        return not fraction.strip("0") and int(number) == int(value)
    return header == _rendered(value)
