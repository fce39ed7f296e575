"""How the arguments of one tool become those of another.

Parameters are matched by name: the same words in any spelling (``filePath``, ``file-path``), or two names of one group
of ``data/arguments.toml`` where no other parameter on either side could be meant. Values are handed on as they are,
so a parameter is matched only where whatever the one lets through the other does, too (an integer for a number, never
the reverse). What belongs to the server itself (ids, handles) and what may be a secret is never matched.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.porter import lasting_stem
from vsm_mcp.matching.tokens import words
from vsm_mcp.model.launch import names_secret
from vsm_mcp.routing.schemas import Alternatives, accepts, fits_value, opened

MOST_PARAMETERS: Final = 64
_SAID_OF_OBJECTS: Final = ("title", "description", "$schema", "$id", "$comment", "examples", "default")
_OBJECT_WORDS: Final = frozenset(
    {"type", "properties", "required", "additionalProperties", "$defs", "definitions", *_SAID_OF_OBJECTS}
)
_SEVERAL: Final = {0: None, 1: None}
_PATTERN: Final = "pattern"
_LONGEST_NAME: Final = 200
_SAID: Final = 400
_COUNTED: Final = re.compile(r"\b(?:in|of)\s+([a-z]+)|\(([a-z]+)\)")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What names of parameters mean: ``groups`` of each name, ``units`` by word, names of what is a server's ``own``.

    ``shapes`` are expressions that tell from a description what a value looks like. Values of parameters in a group of
    ``located`` name files: relative ones mean another thing to another server. So do those of ``moved`` where the name
    of the tool has one of the stems in ``files``.
    """

    groups: Mapping[str, frozenset[str]]
    units: Mapping[str, str]
    shapes: Mapping[str, re.Pattern[str]]
    own: frozenset[str]
    located: frozenset[str]
    moved: frozenset[str]
    files: frozenset[str]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a tool, read: ``key`` is its name in words, ``groups`` what that may mean.

    ``units`` are what it counts and ``shape`` is what its values look like, as far as it says. ``own`` says that it
    names a thing of its server, or holds a secret, ``located`` that it names a file; ``default`` is raw JSON, where
    there is one.
    """

    name: str
    key: str
    groups: frozenset[str]
    units: frozenset[str]
    shape: frozenset[str]
    required: bool
    own: bool
    located: bool
    schema: Alternatives
    default: bytes | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How arguments are mapped, and why not: ``missing`` says in words what stands in the way.

    ``unmapped`` are own parameters that need not be given and have no counterpart: a call that uses one of them cannot
    be handed on.
    """

    arguments: dict[str, str]
    fixed: dict[str, bytes]
    missing: tuple[str, ...]
    unmapped: tuple[str, ...]
    absolute: frozenset[str]


def parse(text: str) -> Terms:
    """Read ``arguments.toml``. Raises :class:`ConfigError` when it has another form."""
    try:
        table = tomllib.loads(text)
        groups: dict[str, set[str]] = {}
        for group, names in table["names"].items():
            for name in names:
                groups.setdefault(name, set()).add(group)
        return Terms(
            groups={name: frozenset(found) for name, found in groups.items()},
            units={word: unit for unit, spelt in table["units"].items() for word in spelt},
            shapes={shape: re.compile(expression) for shape, expression in table["shapes"].items()},
            own=frozenset(table["own"]),
            located=frozenset(table["located"]),
            moved=frozenset(table["moved"]),
            files=frozenset(map(lasting_stem, table["files"])),
        )
    except (tomllib.TOMLDecodeError, re.error, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the names of arguments cannot be read: {error!r}", "reinstall vsm-mcp") from error


def parameters_of(
    schema: object, terms: Terms, named: Collection[str] = (), said: str = ""
) -> tuple[Parameter, ...] | None:
    """Return the parameters of an input schema; ``None`` where it says something that is not understood here.

    ``named`` are the stems of the tool's name, ``said`` is its description: what a pattern without one looks like.
    """
    if not isinstance(schema, dict):
        return None
    properties = schema.get("properties", {})
    wanted = schema.get("required", [])
    plain = set(schema) <= _OBJECT_WORDS and schema.get("type", "object") == "object"
    if not plain or not isinstance(properties, dict) or not isinstance(wanted, list):
        return None
    required = {name for name in wanted if isinstance(name, str)}
    if len(properties) > MOST_PARAMETERS or max(map(len, properties), default=0) > _LONGEST_NAME:
        return None
    if required - properties.keys():
        return None
    files = terms.located | (terms.moved if terms.files.intersection(named) else frozenset())
    read = (_read(name, part, schema, files, terms) for name, part in properties.items())
    return tuple(
        msgspec.structs.replace(
            one, required=one.name in required, shape=one.shape or _shape_of_pattern(one, said, terms)
        )
        for one in read
    )


def plan(own: Sequence[Parameter], theirs: Sequence[Parameter]) -> Plan:
    """Return how the arguments of a call become those of another tool: total where ``missing`` is empty."""
    known = {mine.name: mine for mine in own}
    pairs = _matched(own, theirs)
    unlike = {name: why for name, other in pairs.items() if (why := _unlike(known[name], other))}
    arguments = {name: other.name for name, other in pairs.items() if name not in unlike}
    fixed = _defaults(known, theirs, arguments)
    return Plan(
        arguments=arguments,
        fixed=fixed,
        missing=tuple(_missing(own, theirs, arguments, fixed, unlike)),
        unmapped=tuple(name for name, mine in known.items() if not mine.required and name not in arguments),
        absolute=frozenset(name for name in arguments if pairs[name].located or known[name].located),
    )


def _missing(
    own: Sequence[Parameter],
    theirs: Sequence[Parameter],
    arguments: Mapping[str, str],
    fixed: Mapping[str, bytes],
    unlike: Mapping[str, str],
) -> Iterator[str]:
    """Yield what stands in the way: of what is always given, nothing may get lost; what is needed is always given."""
    for mine in own:
        if mine.required and mine.name not in arguments:
            yield unlike.get(mine.name) or (
                f"{mine.name} means nothing to others" if mine.own else f"{mine.name} has no counterpart"
            )
        elif mine.located and not mine.required:
            yield f"without {mine.name} it works in a place of its own server"
    given = {arguments[mine.name] for mine in own if mine.required and mine.name in arguments} | fixed.keys()
    for other in theirs:
        if other.required and other.name not in given:
            yield f"{other.name} is needed there, and not always given"


def _read(name: str, part: object, root: Mapping[str, Any], files: frozenset[str], terms: Terms) -> Parameter:
    inner = part if isinstance(part, dict) else {}
    said = inner.get("description")
    description = said[:_SAID].lower() if isinstance(said, str) else ""
    parts = words(name)
    key = "_".join(parts)
    groups = terms.groups.get(key, frozenset())
    counted = [*parts, *_counted(description)]
    return Parameter(
        name=name,
        key=key,
        groups=groups,
        units=frozenset(terms.units[word] for word in counted if word in terms.units),
        shape=_shape(description, terms),
        required=False,
        own=key in terms.own or (parts[-1:] != [] and parts[-1] in terms.own) or names_secret(name),
        located=bool(groups & files),
        schema=opened(part, root),
        default=msgspec.json.encode(inner["default"]) if "default" in inner else None,
    )


def _shape(description: str, terms: Terms) -> frozenset[str]:
    return frozenset(shape for shape, pattern in terms.shapes.items() if pattern.search(description))


def _shape_of_pattern(parameter: Parameter, said: str, terms: Terms) -> frozenset[str]:
    return _shape(said[:_SAID].lower(), terms) if _PATTERN in parameter.groups else frozenset()


def _counted(description: str) -> Iterable[str]:
    """Yield what a description says that something is counted in: "in seconds", "number of lines", "(ms)"."""
    for found in _COUNTED.finditer(description):
        yield found[1] or found[2]


def _matched(own: Sequence[Parameter], theirs: Sequence[Parameter]) -> dict[str, Parameter]:
    """Return by own name the parameter over there that means the same."""
    free = {other.key: other for other in theirs if not other.own}
    found: dict[str, Parameter] = {}
    for mine in own:
        if not mine.own and mine.key in free:
            found[mine.name] = free.pop(mine.key)
    for needed in (True, False):
        rest = [mine for mine in own if not mine.own and mine.name not in found and mine.required >= needed]
        open_ = [other for other in free.values() if other.required >= needed]
        for mine in rest:
            meant = _nearest(mine, open_)
            if meant is not None and _nearest(meant, rest) is mine:
                found[mine.name] = meant
                free.pop(meant.key, None)
    return found


def _nearest(one: Parameter, others: Sequence[Parameter]) -> Parameter | None:
    """Return the only one that means the same; of several the only one that shares a word of its name."""
    meant = [other for other in others if one.groups & other.groups]
    if len(meant) > 1:
        said = set(one.key.split("_"))
        meant = [other for other in meant if said & set(other.key.split("_"))]
    return meant[0] if len(meant) == 1 else None


def _unlike(mine: Parameter, other: Parameter) -> str:
    """Return why what is given for one parameter is not fit for another; empty where it is."""
    if mine.units != other.units:
        return f"{other.name} is counted in other units"
    if mine.shape != other.shape:
        return f"{other.name} is written in another way"
    if not accepts(mine.schema, other.schema):
        return f"{other.name} does not take all of its values"
    return ""


def _defaults(
    known: Mapping[str, Parameter], theirs: Sequence[Parameter], arguments: Mapping[str, str]
) -> dict[str, bytes]:
    """Return what is given besides: own defaults where theirs are others, and the only value that a need allows."""
    taken = {name: known[one] for one, name in arguments.items()}
    fixed: dict[str, bytes] = {}
    for other in theirs:
        mine = taken.get(other.name)
        if mine is not None and mine.required:
            continue
        value = mine.default if mine is not None else None
        if value not in (None, b"null", other.default) and fits_value(msgspec.json.decode(value), other.schema):
            fixed[other.name] = value
        elif other.required and (only := _only(other)) is not None:
            fixed[other.name] = only
    return fixed


def _only(parameter: Parameter) -> bytes | None:
    """Return the value of a parameter that has to be given though it leaves no choice, or has a default."""
    if parameter.default is not None:
        return parameter.default
    values = [value for part in parameter.schema for value in part.get("enum", _SEVERAL).values()]
    return msgspec.json.encode(values[0]) if len(values) == 1 else None
