"""What a server offers: its tools, resources, templates, prompts and instructions, as it defined them."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ItemKind(StrEnum):
    """The kinds of things a server defines."""

    TOOL = "tool"
    RESOURCE = "resource"
    TEMPLATE = "template"
    PROMPT = "prompt"
    INSTRUCTIONS = "instructions"


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One item as its server defined it: ``raw`` is the JSON object byte for byte.

    ``name`` is the tool's or prompt's name, the resource's URI or the template's URI template.
    """

    kind: ItemKind
    name: str
    raw: bytes
    description: str = ""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a server offered in one listing, in its own order.

    ``frozen`` are the items that are kept back until somebody approves them, by kind and name; a server's own answer
    has none.
    """

    items: tuple[Definition, ...] = ()
    capabilities: bytes = b"{}"
    instructions: str = ""
    server_name: str = ""
    server_version: str = ""
    protocol: str = ""
    frozen: tuple[tuple[ItemKind, str], ...] = ()

    def of(self, kind: ItemKind) -> tuple[Definition, ...]:
        """Return the items of one kind."""
        return tuple(item for item in self.items if item.kind is kind)
