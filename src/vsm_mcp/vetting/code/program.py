"""The small language that Python and JavaScript are lowered to, so that one engine follows values through both.

Control flow is flattened: what matters is what may flow where, not in which order. Every node knows its line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True, eq=False)
class Text:
    """A constant: a string, bytes read as Latin-1, or a number as decimal text."""

    line: int
    value: str


@dataclass(slots=True, eq=False)
class Name:
    """A variable."""

    line: int
    id: str


@dataclass(slots=True, eq=False)
class Member:
    """``base.name``."""

    line: int
    base: Node
    name: str


@dataclass(slots=True, eq=False)
class Index:
    """``base[key]``: a member whose name is computed."""

    line: int
    base: Node
    key: Node


@dataclass(slots=True, eq=False)
class Call:
    """A call or ``new``; ``named`` are keyword arguments."""

    line: int
    callee: Node
    args: list[Node]
    named: list[tuple[str, Node]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Join:
    """Texts put together: ``a + b``, templates, f-strings, ``%``."""

    line: int
    parts: list[Node]
    separator: str = ""


@dataclass(slots=True, eq=False)
class Record:
    """An object or dict; a key of ``None`` spreads its value into it."""

    line: int
    entries: list[tuple[Node | None, Node]]


@dataclass(slots=True, eq=False)
class Group:
    """An array or tuple, with its items in order."""

    line: int
    items: list[Node]


@dataclass(slots=True, eq=False)
class Mix:
    """A value that came from several others in a way that is not followed: ``a ? b : c``, ``a or b``, an element."""

    line: int
    parts: list[Node]


@dataclass(slots=True, eq=False)
class Function:
    """A function, method or lambda; ``registered``: something else decides when it is called (a decorator).

    ``closed`` are the parameters that hold no free text, by what they are declared to be: numbers, a fixed choice.
    """

    line: int
    name: str
    params: list[Node]
    body: list[Node]
    registered: bool = False
    closed: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Assign:
    """``target = value``; the target is a name, a member, or a record or group of targets."""

    line: int
    target: Node
    value: Node


@dataclass(slots=True, eq=False)
class Branch:
    """Code that runs only when ``test`` says so."""

    line: int
    test: Node
    body: list[Node]


@dataclass(slots=True, eq=False)
class Return:
    """What a function gives back."""

    line: int
    value: Node


@dataclass(slots=True, eq=False)
class Import:
    """``names`` maps local names to what they are inside of ``module`` (``""``: the module itself)."""

    line: int
    module: str
    names: list[tuple[str, str]]


Node: TypeAlias = (
    Text | Name | Member | Index | Call | Join | Record | Group | Mix | Function | Assign | Branch | Return | Import
)


class TooDeep(Exception):
    """A source is nested deeper than anybody writes."""


MAX_DEPTH = 400
