"""Whether every value that one JSON schema lets through is let through by another. Pure; nothing is fetched.

Only what can be told for sure counts: what is said in a way that is not understood here (``not``, ``if``, a reference
that leads nowhere) lets nothing pass and accepts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

Alternatives: TypeAlias = "tuple[Mapping[str, Any], ...]"
"""A schema, read by :func:`opened`: what is let through by one of these is let through by it."""

_DEPTH: Final = 12
_WORDS: Final = frozenset({"title", "description", "default", "examples", "$comment", "deprecated", "format"})
_PARTS: Final = 400
_OPAQUE: Final[Mapping[str, Any]] = {"opaque": True}
_UNREAD: Final = ("not", "if", "oneOf", "anyOf", "allOf", "$ref", "$dynamicRef", "dependentSchemas", "opaque")
# What schema builders of JavaScript write for "an integer": no bound that anybody chose.
_SAFE_INTEGER: Final = 2**53 - 1
_LEAST: Final = ("minimum", "exclusiveMinimum", "minItems", "minLength")
_NO_LIMIT: Final = {"minLength": (0, 1), "minItems": (0,)}
_MOST: Final = ("maximum", "exclusiveMaximum", "maxItems", "maxLength")
_READ: Final = frozenset({"type", "enum", "items", "properties", "required", "additionalProperties", *_LEAST, *_MOST})
_NAMES: Final = frozenset({"$schema", "$id", "$defs", "definitions", "$anchor"})


def opened(schema: object, root: Mapping[str, Any]) -> Alternatives:
    """Return the alternatives of a schema, each with one ``type`` at most and no reference; ``root`` holds those."""
    return _Opening(root).all(schema, _DEPTH)


def accepts(given: Alternatives, taken: Alternatives) -> bool:
    """Return whether all that ``given`` lets through is let through by ``taken``."""
    return bool(given) and all(any(_fits(part, other) for other in taken) for part in given)


def fits_value(value: object, taken: Alternatives) -> bool:
    """Return whether ``taken`` lets one value through."""
    return accepts(({"type": _type_of(value), "enum": _keyed([value])},), taken)


def kinds(parts: Alternatives) -> str:
    """Return the types of a schema in short (``string|null``), or ``any``."""
    named = dict.fromkeys(str(part.get("type", "any")) for part in parts)
    return "|".join(named) or "any"


class _Opening:
    """One reading of a schema. A hostile one can ask for endless work: after ``_PARTS`` parts the rest is opaque."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = _PARTS

    def all(self, schema: object, depth: int) -> Alternatives:
        self._left -= 1
        if schema is True:
            return ({},)
        if not isinstance(schema, dict) or depth <= 0 or self._left <= 0:
            return (_OPAQUE,)
        if "$ref" in schema:
            return self.all(_referred(schema["$ref"], self._root), depth - 1)
        for word in ("anyOf", "oneOf", "allOf"):
            branches = schema.get(word)
            if isinstance(branches, list) and (word != "allOf" or len(branches) == 1):
                rest = {key: value for key, value in schema.items() if key != word}
                return tuple(part for branch in branches for part in self.all(_both(rest, branch), depth - 1))
        return tuple(self._single(schema, depth))

    def _single(self, schema: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
        """Yield a schema without alternatives once for each of its types, what is in it opened."""
        own = {key: value for key, value in schema.items() if key not in _WORDS}
        if "const" in own:
            own["enum"] = [own.pop("const")]
        kind = own.pop("type", None)
        types = kind if isinstance(kind, list) else [kind]
        if not isinstance(own.get("enum", []), list) or not all(isinstance(one, str | None) for one in types):
            yield _OPAQUE
            return
        if types == [None] and own.get("enum"):  # its values say what it is
            types = sorted({_type_of(value) for value in own["enum"]})
        for one in types:
            part = own if one is None else {**own, "type": one}
            if "enum" in part and one is not None:
                part["enum"] = [value for value in part["enum"] if _is(value, one)]
            if "enum" in part:
                part = {**part, "enum": _keyed(part["enum"])}
            if one == "array" and "items" in part:
                part["items"] = self.all(part["items"], depth - 1)
            if one == "object":
                inner = _mapping(part.get("properties"))
                part["properties"] = {name: self.all(one, depth - 1) for name, one in inner.items()}
            yield part


def _fits(given: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    if any(word in side for side in (given, taken) for word in _UNREAD):
        return False
    if "enum" in taken:
        return "enum" in given and given["enum"].keys() <= taken["enum"].keys()
    if not taken.keys() - _NAMES:
        return True
    if "type" not in taken:
        return _equal(given, taken)
    if given.get("type") != taken["type"] and (given.get("type"), taken["type"]) != ("integer", "number"):
        return False
    if "enum" in given:
        return all(_inside(value, taken) for value in given["enum"].values())
    if any(word not in given or not _equal(given[word], taken[word]) for word in taken.keys() - _READ - _NAMES):
        return False
    return _bounded(given, taken) and _same_inside(given, taken)


def _bounded(given: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    """Compare limits: what is taken may not be narrower. Of a text, that it is not empty is no limit."""
    for word in _LEAST:
        if word in taken and taken[word] not in _NO_LIMIT.get(word, ()):
            limit, own = _number(taken[word]), _number(given.get(word))
            if limit is None or (limit > -_SAFE_INTEGER and (own is None or own < limit)):
                return False
    for word in _MOST:
        if word in taken:
            limit, own = _number(taken[word]), _number(given.get(word))
            if limit is None or (limit < _SAFE_INTEGER and (own is None or own > limit)):
                return False
    return True


def _same_inside(given: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    if given.get("type") == "array" and "items" in taken:
        return "items" in given and accepts(given["items"], taken["items"])
    return given.get("type") != "object" or _object_fits(given, taken)


def _object_fits(given: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    """Compare objects: what must be there is always given, and nothing is given that is not known there."""
    mine, theirs = _mapping(given.get("properties")), _mapping(taken.get("properties"))
    if not set(_list(taken.get("required"))) <= set(_list(given.get("required"))):
        return False
    closed, more = given.get("additionalProperties") is False, taken.get("additionalProperties", True)
    if not closed and (theirs.keys() - mine.keys() or not _more_fits(given.get("additionalProperties", True), more)):
        return False
    if mine.keys() - theirs.keys() and more not in (True, {}):
        return False
    return all(accepts(mine[name], theirs[name]) for name in mine.keys() & theirs.keys())


def _more_fits(given: object, taken: object) -> bool:
    return taken in (True, {}) or _equal(given, taken)


def _equal(one: object, other: object) -> bool:
    """Return whether two schemas are the same to the letter; a reference may mean another thing elsewhere."""
    return one == other and "$ref" not in str(one)


def _inside(value: object, taken: Mapping[str, Any]) -> bool:
    """Return whether one value keeps the limits of a schema without alternatives."""
    limits = taken.keys() - _NAMES - {"type"}
    if isinstance(value, str):
        return limits <= {"minLength", "maxLength"} and _between(len(value), taken, "minLength", "maxLength")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return limits <= {"minimum", "maximum"} and _between(value, taken, "minimum", "maximum")
    return not {word for word in limits if taken[word]}


def _between(size: float, taken: Mapping[str, Any], least: str, most: str) -> bool:
    low, high = _number(taken.get(least)), _number(taken.get(most))
    return (low is None or size >= low) and (high is None or size <= high)


def _referred(reference: object, root: Mapping[str, Any]) -> object:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = root
    for step in reference[2:].split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(step.replace("~1", "/").replace("~0", "~"))
    return found


def _both(rest: Mapping[str, Any], branch: object) -> object:
    if not isinstance(branch, dict):
        return branch if not set(rest) - _WORDS else None
    clash = {key for key in rest.keys() & branch.keys() if rest[key] != branch[key]} - _WORDS
    return None if clash else {**rest, **branch}


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = ((str, "string"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "")


def _is(value: object, kind: str) -> bool:
    """Return whether a value of an enumeration is of a type; 1 is a number, too."""
    own = _type_of(value)
    return own == kind or (own == "integer" and kind == "number")


def _keyed(values: Sequence[object]) -> dict[tuple[str, bytes], object]:
    """Return values by what tells them apart: 1, 1.0 and true are three."""
    return {(_type_of(value), msgspec.json.encode(value)): value for value in values}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
