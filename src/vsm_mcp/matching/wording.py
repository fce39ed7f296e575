"""The words that stand for a thing where meanings are compared: without what all things say of themselves."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from vsm_mcp.matching.tokens import words

# "An MCP server for" says nothing of a thing. "For MCP servers" does, unless a text begins so: it is about them.
_MCP: Final = r"(?:model context protocol(?: \(mcp\))?|mcp)"
_SAID_BY_ALL: Final = re.compile(
    rf"^{_MCP} (?:servers|tools)\s+(?:for|that|to|which)\b"
    rf"|\b(?:(?:an?|the)\s+)?{_MCP}(?![ -]?(?:servers|tools)\b)(?:[ -]?(?:server|tool))?\b"
    r"(?:\s+(?:for|that|to|which)\b)?",
    re.IGNORECASE,
)
_NOISE: Final = frozenset({"mcp", "server", "servers"})
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_FEW: Final = 1 / 3
_LONGEST: Final = 300
_TELLING: Final = 30


class ToolText(NamedTuple):
    """What is known of one tool in words; ``parameters`` holds names and descriptions, ``server`` name and purpose."""

    key: str
    name: str
    description: str = ""
    parameters: str = ""
    server: str = ""


class ServerText(NamedTuple):
    """What is known of one server in words; ``tools`` are (name, description), ``labels`` its tags and keywords."""

    key: str
    name: str
    description: str = ""
    labels: str = ""
    tools: tuple[tuple[str, str], ...] = ()


def of_tool(tool: ToolText) -> str:
    """Return one text for a tool: its name and what its description begins with.

    What follows is how to call it, what it returns and what it is not for; in a direction it would count as much.
    """
    return described(tool.name, beginning(tool.description))


def beginning(description: str) -> str:
    """Return the first sentence, and more where that is hardly one ("Note.")."""
    said = ""
    for sentence in _SENTENCE.split(description[: 2 * _LONGEST]):
        said = f"{said} {sentence}".strip()
        if len(said) >= _TELLING:
            break
    return said[:_LONGEST]


def described(name: str, description: str) -> str:
    """Return one text for a thing of this name and description."""
    plain = " ".join(_SAID_BY_ALL.sub(" ", description).split())
    called = " ".join(word for word in words(name) if word not in _NOISE)
    return f"{called}. {plain}" if plain else called


def names_in(need: str) -> frozenset[str]:
    """Return the words of a need that are written as names: "Paris" in "the weather in Paris", in lower case.

    The first word says nothing, nor does a language that writes every noun so.
    """
    parts = _WORD.findall(need)
    names = [part for part in parts[1:] if part[0].isupper() and part[1:].islower()]
    return frozenset(map(str.lower, names)) if len(names) <= _FEW * len(parts) else frozenset()


def asked(need: str) -> str:
    """Return one text for a need."""
    return " ".join(_SAID_BY_ALL.sub(" ", need).split()) or need
