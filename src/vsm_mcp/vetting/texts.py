"""Every text of a definition that a model may read: names, descriptions, schemas at any depth, annotations. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 64
MAX_TEXTS: Final = 20_000
MAX_CHARACTERS: Final = 1_000_000
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_TEXTLESS: Final = ("integer", "number", "boolean", "null")
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+")


class TooMuch(ValueError):
    """A definition that is deeper or longer than anything that is meant to be read."""


class Text(msgspec.Struct, frozen=True):
    """One text: its JSON ``pointer`` (RFC 6901), its ``role`` and what it says.

    The role is ``description`` (of the whole), ``instructions``, ``parameter`` (what describes one property or
    argument that can hold text) or ``other``. The text of a parameter begins with its name, in words.
    """

    pointer: str
    role: str
    said: str


class Property(msgspec.Struct, frozen=True):
    """One property of a schema, or one argument of a prompt: its place, its name, what it says of itself."""

    pointer: str
    name: str
    said: str


def texts(value: Any) -> Iterator[Text]:
    """Yield every string of a definition, values and member names alike, each once.

    A ``$ref`` is not followed: what it points to inside the definition is read where it stands. Raises
    :class:`TooMuch` beyond ``MAX_DEPTH`` levels, ``MAX_TEXTS`` texts or ``MAX_CHARACTERS`` characters in all.
    """
    length = 0
    for count, text in enumerate(_walk(value, "", 0, named=False), 1):
        length += len(text.said)
        if count > MAX_TEXTS or length > MAX_CHARACTERS:
            raise TooMuch("more text than a definition holds")
        yield text


def _walk(value: Any, pointer: str, depth: int, *, named: bool) -> Iterator[Text]:
    if depth > MAX_DEPTH:
        raise TooMuch("nested too deeply")
    if isinstance(value, str):
        yield Text(pointer, _role(pointer), value)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _walk(each, f"{pointer}/{index}", depth + 1, named=False)
    elif isinstance(value, dict):
        described = named and isinstance(value.get("description"), str)
        for name, each in value.items():
            inner = f"{pointer}/{escaped(name)}"
            if described and name == "description":
                role = "parameter" if _holds_text(value) else "other"
                yield Text(inner, role, f"{in_words(_last(pointer))}: {each}")
                continue
            if depth and not (name.isascii() and name.isidentifier() and len(name) < 40):
                yield Text(inner, "other", name)
            property_map = isinstance(each, dict) and name in _MAPS
            if property_map:
                yield from _members(each, inner, depth + 1)
            else:
                yield from _walk(each, inner, depth + 1, named=False)


def _members(properties: dict[str, Any], pointer: str, depth: int) -> Iterator[Text]:
    """Walk named schemas: each name is read with the description that belongs to it."""
    for name, schema in properties.items():
        inner = f"{pointer}/{escaped(name)}"
        described = isinstance(schema, dict) and isinstance(schema.get("description"), str)
        if not described or len(name) > 40:
            yield Text(inner, "parameter", in_words(name))
        yield from _walk(schema, inner, depth + 1, named=True)


def _holds_text(schema: dict[str, Any]) -> bool:
    """Whether a value of a schema can be more than a number or a yes or no, as far as its types tell."""
    kinds, ways = schema.get("type"), schema.get("anyOf")
    if "enum" in schema or "const" in schema:
        return True
    if isinstance(kinds, str):
        return kinds not in _TEXTLESS
    if isinstance(kinds, list):
        return not kinds or any(kind not in _TEXTLESS for kind in kinds)
    return not (isinstance(ways, list) and ways) or any(not isinstance(way, dict) or _holds_text(way) for way in ways)


def _role(pointer: str) -> str:
    if pointer == "/description":
        return "description"
    return "parameter" if re.fullmatch(r"/arguments/\d+/description", pointer) else "other"


def properties(definition: Any) -> Iterator[Property]:
    """Yield what a caller fills in: every property of the input schema at any depth, every argument of a prompt."""
    if not isinstance(definition, dict):
        return
    yield from _properties(definition.get("inputSchema"), "/inputSchema", 0)
    arguments = definition.get("arguments")
    for index, each in enumerate(arguments if isinstance(arguments, list) else ()):
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            yield Property(f"/arguments/{index}", each["name"], _said(each))


def _properties(schema: Any, pointer: str, depth: int) -> Iterator[Property]:
    if depth > MAX_DEPTH:
        return
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from _properties(each, f"{pointer}/{index}", depth + 1)
    elif isinstance(schema, dict):
        for word, nested in schema.items():
            inner = f"{pointer}/{escaped(word)}"
            if word == "properties" and isinstance(nested, dict):
                for name, each in nested.items():
                    yield Property(f"{inner}/{escaped(name)}", name, _said(each))
                    yield from _properties(each, f"{inner}/{escaped(name)}", depth + 1)
            elif word not in {"enum", "const", "default", "examples"}:
                yield from _properties(nested, inner, depth + 1)


def _said(schema: Any) -> str:
    said = schema.get("description") if isinstance(schema, dict) else ""
    return said if isinstance(said, str) else ""


def parse(raw: bytes) -> Any:
    """Read a definition's JSON. Raises ``ValueError`` (also for what is nested beyond reading)."""
    try:
        return json.loads(raw)
    except RecursionError as error:
        raise TooMuch("nested too deeply") from error


def in_words(name: str) -> str:
    """Return a name such as ``chatHistory`` or ``chat_history`` as words."""
    return _WORDS.sub(" ", name).strip()


def escaped(name: str) -> str:
    """Return a member name as a part of a JSON pointer, shortened to 60 characters."""
    return name[:60].replace("~", "~0").replace("/", "~1")


def _last(pointer: str) -> str:
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
