"""The servers in memory: what each is, what it offers, which of it is frozen, and the catalogue the gateway serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from vsm_mcp.errors import UnknownServer
from vsm_mcp.events import Emit, PinChanged
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store
from vsm_mcp.vetting.pins import compare, key

# Resources come and go with a server's data; what a model is told to do is pinned.
_UNPINNED: Final = f"{ItemKind.RESOURCE.value}:"


class Fleet:
    """One loop owns it; every change ends in ``changed``, which swaps the gateway's catalogue.

    ``freeze`` says whether what differs from its pin is kept back (``[policy] changed_tools``).
    """

    def __init__(self, store: Store, emit: Emit, changed: Callable[[], None], *, freeze: bool = True) -> None:
        self._freeze = freeze
        self._store = store
        self._emit = emit
        self._changed = changed
        self._pins: dict[str, dict[str, str]] = {}
        self._seen: dict[str, Offer] = {}
        self._differing: dict[str, tuple[str, ...]] = {}
        self.servers: dict[str, Server] = {}
        self.offers: dict[str, Offer] = {}
        self.frozen: dict[str, tuple[str, ...]] = {}

    def govern(self, *, freeze: bool) -> None:
        """Have what differs from its pin kept back from now on, or not."""
        if freeze is not self._freeze:
            self._freeze = freeze
            for name in self.servers:
                self._judge(name)
        self._changed()

    async def load(self) -> None:
        """Read all servers from the store."""
        self.servers = {server.name: server for server in await self._store.servers.all()}
        self._seen = await self._store.servers.offers()
        for name in self.servers:
            self._pins[name] = await self._store.servers.pins(name)
            self._judge(name)
        self._changed()

    async def refresh(self, name: str) -> None:
        """Read one server again, after it was admitted, approved or removed."""
        try:
            self.servers[name] = await self._store.servers.get(name)
        except UnknownServer:
            for table in (self.servers, self.offers, self._seen, self._pins, self.frozen, self._differing):
                table.pop(name, None)
        else:
            self._pins[name] = await self._store.servers.pins(name)
            offer = (await self._store.servers.offers()).get(name)
            if offer is not None:
                self._seen[name] = offer
            self._judge(name)
        self._changed()

    def get(self, name: str) -> Server:
        """Return a server. Raises :class:`UnknownServer`."""
        if name not in self.servers:
            raise UnknownServer(f"no server is called {name!r}", "vsm-mcp list shows the names")
        return self.servers[name]

    def seen(self, name: str) -> Offer | None:
        """Return what a server offers, frozen items and all."""
        return self._seen.get(name)

    def observe(self, name: str, offer: Offer) -> bool:
        """Take in a fresh listing of a running server; return whether it differs from the last one."""
        if name not in self.servers or self._seen.get(name) == offer:
            return False
        self._seen[name] = offer
        self._judge(name)
        self._changed()
        return True

    def served(self) -> Mapping[str, Offer]:
        """Return what may be shown and called, by server: no quarantined server, no frozen item."""
        return {name: offer for name, offer in self.offers.items() if not self.servers[name].quarantined}

    def tool_names(self) -> dict[str, tuple[str, ...]]:
        """Return the names of every server's tools."""
        return {name: tuple(tool.name for tool in offer.of(ItemKind.TOOL)) for name, offer in self._seen.items()}

    def _judge(self, name: str) -> None:
        """Freeze what differs from its pin: it is neither listed nor called until a person approves, or say so."""
        offer = self._seen.get(name)
        if offer is None:
            return
        difference = compare(self._pins.get(name, {}), offer)
        differing = tuple(item for item in (*difference.changed, *difference.new) if not item.startswith(_UNPINNED))
        for item in differing:
            if item not in self._differing.get(name, ()):
                self._emit(PinChanged(server=name, item=item))
        self._differing[name] = differing
        frozen = self.frozen[name] = differing if self._freeze else ()
        kept = tuple(item for item in offer.items if key(item) not in frozen)
        instructions = "" if f"{ItemKind.INSTRUCTIONS.value}:" in frozen else offer.instructions
        self.offers[name] = msgspec.structs.replace(offer, items=kept, instructions=instructions)
