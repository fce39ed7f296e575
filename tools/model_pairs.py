"""Which need belongs to which tool: what the second lesson of the static model is made of; build time only.

A need is the first clause of what a tool says of itself. It belongs to the tool's name alone, and to another package's
tool of the same name, whatever that says of itself: two authors put the same in two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tools import model_texts
from tools.declared_tools import Declared
from tools.model_texts import digest

from vsm_mcp.matching.tokens import words
from vsm_mcp.matching.wording import ToolText, beginning, of_tool

_MOST_OF_A_NAME: Final = 60


class Pair(NamedTuple):
    """A need, the tool that meets it as ``thing``, the ``purpose`` of that one's package; ``name`` is the tool's."""

    need: str
    thing: str
    purpose: str
    name: str
    package: str


class _Tool(NamedTuple):
    package: str
    name: str
    description: str


def pairs(
    declared: Mapping[str, Sequence[Declared]], purposes: Mapping[str, str], reworded: Callable[[str], str]
) -> list[Pair]:
    """Return the pairs of the tools of packages; every second need is in other words, where there are some."""
    tools = list(_each_once(declared))
    named: dict[str, list[_Tool]] = {}
    for tool in tools:
        named.setdefault(_plain(tool.name), []).append(tool)
    found: list[Pair] = []
    for name, own in named.items():
        if len(name.split()) > 1:
            found += (_pair(tool, name, name, tool.package, purposes, reworded) for tool in own)
            found += _of_others(name, own, purposes, reworded)
    return [pair for pair in found if pair.need]


def _of_others(
    name: str, tools: Sequence[_Tool], purposes: Mapping[str, str], reworded: Callable[[str], str]
) -> Iterator[Pair]:
    some = sorted(tools, key=lambda tool: digest(f"{tool.package}\n{tool.description}"))[:_MOST_OF_A_NAME]
    for one, other in pairwise([*some, some[0]] if some else []):
        if one.package != other.package:
            said = beginning(other.description)
            thing = of_tool(ToolText("", other.name, said)) if digest(said)[0] % 5 < 3 else said
            yield _pair(one, thing, name, other.package, purposes, reworded)


def _pair(
    asked: _Tool, thing: str, name: str, package: str, purposes: Mapping[str, str], reworded: Callable[[str], str]
) -> Pair:
    need = model_texts.need_of(asked.description)
    if need and digest(need + package)[1] % 2:
        need = reworded(need) or need
    return Pair(need, thing, purposes.get(package, ""), name, package)


def _each_once(declared: Mapping[str, Sequence[Declared]]) -> Iterable[_Tool]:
    """Yield tools that say what they do, in English; what is copied from one package to another once."""
    seen: set[tuple[str, str]] = set()
    for package, tools in declared.items():
        for tool in tools:
            key = _plain(tool.name), tool.description[:80].lower()
            if model_texts.says_something(tool) and key not in seen:
                seen.add(key)
                yield _Tool(package, *tool)


def _plain(name: str) -> str:
    return " ".join(words(name))
