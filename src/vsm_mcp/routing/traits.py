"""What a tool says about the effects of calling it (specification 2025-11-25, schema of ``ToolAnnotations``). Pure.

It is the server's word, and no more is built on it than on any other word of a definition: it counts as it was pinned
and vetted, and a tool that differs from its pin is not served at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.unreadable import UNREADABLE


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """The hints, with what holds where nothing is said: a tool writes, destroys, and reaches the world."""

    read_only: bool = msgspec.field(name="readOnlyHint", default=False)
    idempotent: bool = msgspec.field(name="idempotentHint", default=False)
    destructive: bool = msgspec.field(name="destructiveHint", default=True)
    open_world: bool = msgspec.field(name="openWorldHint", default=True)

    @property
    def repeatable(self) -> bool:
        """Whether calling it twice does no more than calling it once."""
        return self.read_only or self.idempotent

    def covers(self, other: Traits) -> bool:
        """Say whether calling ``other`` in its place can have no effects that it has not.

        To read a little more of the world is an effect like any other: what was asked goes there.
        """
        if other.open_world and not self.open_world:
            return False
        if self.read_only or other.read_only:
            return other.read_only
        return (self.destructive or not other.destructive) and (other.idempotent or not self.idempotent)


NOTHING_SAID: Final = Traits()


class _Tool(msgspec.Struct):
    annotations: Traits | None = None


_decode: Final = msgspec.json.Decoder(_Tool).decode


def traits_of(definition: bytes) -> Traits:
    """Return the traits of a tool by its definition; the worst where that cannot be read."""
    try:
        return _decode(definition).annotations or NOTHING_SAID
    except UNREADABLE:
        return NOTHING_SAID


class Words:
    """The traits of every served tool; read when they are first asked for, anew when the server's offer is another."""

    def __init__(self) -> None:
        self._offers: Mapping[str, Offer] = {}
        self._read: dict[str, tuple[Offer, dict[str, Traits]]] = {}

    def show(self, offers: Mapping[str, Offer]) -> None:
        """Have these offers count: only what is served, so that nothing that differs from its pin is believed."""
        self._offers = offers
        for server in self._read.keys() - offers.keys():
            del self._read[server]

    def of(self, server: str, tool: str) -> Traits:
        """Return what is known of a tool; the worst of one that is not served."""
        offer = self._offers.get(server)
        if offer is None:
            return NOTHING_SAID
        read = self._read.get(server)
        if read is None or read[0] is not offer:
            found: dict[str, Traits] = {}
            for item in offer.of(ItemKind.TOOL):
                found.setdefault(item.name, traits_of(item.raw))
            read = self._read[server] = (offer, found)
        return read[1].get(tool, NOTHING_SAID)
