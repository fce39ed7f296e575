"""The words that stand for a thing where meanings are compared: without what all things say of themselves."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from vsm_mcp.matching.tokens import words

_SAID_BY_ALL: Final = re.compile(
    r"\b(?:(?:an?|the)\s+)?(?:model context protocol(?: \(mcp\))?|mcp)(?:[ -]?(?:servers?|tools?))?\b"
    r"(?:\s+(?:for|that|to|which)\b)?",
    re.IGNORECASE,
)
_NOISE: Final = frozenset({"mcp", "server", "servers"})
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_LONGEST: Final = 300
_TELLING: Final = 30


class ToolText(NamedTuple):
    """What is known of one tool in words; ``parameters`` holds names and descriptions, ``server`` name and purpose."""

    key: str
    name: str
    description: str = ""
    parameters: str = ""
    server: str = ""


def of_tool(tool: ToolText) -> str:
    """Return one text for a tool: its name and what its description begins with.

    What follows is how to call it, what it returns and what it is not for; in a direction it would count as much.
    """
    return described(tool.name, _beginning(tool.description))


def _beginning(description: str) -> str:
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


def asked(need: str) -> str:
    """Return one text for a need."""
    return " ".join(_SAID_BY_ALL.sub(" ", need).split()) or need
