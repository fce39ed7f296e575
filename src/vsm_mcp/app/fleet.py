"""The servers in memory: what each is, what it offers, which of it is frozen, and the catalogue the gateway serves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import msgspec

from vsm_mcp.config import Policy
from vsm_mcp.errors import UnknownServer
from vsm_mcp.events import Emit, PinChanged
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.server import Server
from vsm_mcp.policy.pins import rule
from vsm_mcp.runtime.barred import barred
from vsm_mcp.store import Store
from vsm_mcp.vetting.pins import INSTRUCTIONS, Comparison, compare, digest, keyed


def _nobody(_server: str) -> None:
    """Tell nobody."""


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What was approved of one server: the hash of each item, and the items as they were defined (if that is known)."""

    pins: Mapping[str, str] = {}
    approved: Offer | None = None


class Fleet:
    """One loop owns it; every change ends in ``changed``, which swaps the gateway's catalogue.

    ``revision`` counts the changes.

    What differs from its pin is frozen at once. ``on_frozen`` is told of a server where the policy may let something of
    it in by itself.
    """

    def __init__(self, store: Store, emit: Emit, changed: Callable[[], None], policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._store = store
        self._emit = emit
        self._tell = changed
        self.revision = 0
        self._pinned: dict[str, Pinned] = {}
        self._seen: dict[str, Offer] = {}
        self._turned: dict[str, dict[str, Definition]] = {}
        self._denied: dict[str, tuple[str, ...]] = {}
        self.on_frozen: Callable[[str], None] = _nobody
        self.servers: dict[str, Server] = {}
        self.offers: dict[str, Offer] = {}
        self.frozen: dict[str, tuple[str, ...]] = {}

    def govern(self, policy: Policy) -> None:
        """Have another policy say from now on what becomes of what is frozen."""
        self._policy = policy or Policy()
        for name in self.servers:
            self._judge(name)
        self._changed()

    async def load(self) -> None:
        """Read all servers from the store."""
        self.servers = {server.name: server for server in await self._store.servers.all()}
        self._seen = await self._store.servers.offers()
        for name in self.servers:
            await self._read_pins(name)
            self._judge(name)
        self._changed()

    async def refresh(self, name: str) -> None:
        """Read one server again, after it was admitted, approved or removed."""
        try:
            self.servers[name] = await self._store.servers.get(name)
        except UnknownServer:
            for table in (self.servers, self.offers, self._seen, self._pinned, self.frozen, self._turned, self._denied):
                table.pop(name, None)
        else:
            await self._read_pins(name)
            offer = (await self._store.servers.offers()).get(name)
            if offer is not None:
                self._seen[name] = offer
            self._judge(name)
        self._changed()

    async def repin(self, name: str) -> None:
        """Read anew what is approved of a server, and denied; what it offers stays as it was seen last."""
        if name not in self.servers:
            return
        with contextlib.suppress(UnknownServer):  # it is being removed
            self.servers[name] = await self._store.servers.get(name)
        await self._read_pins(name)
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

    def pinned(self, name: str) -> Pinned:
        """Return what was approved of a server."""
        return self._pinned.get(name, Pinned())

    def differing(self, name: str) -> Comparison:
        """Return what of a server differs from its pins: the frozen items, those that are gone aside."""
        offer = self._seen.get(name)
        pinned = self.pinned(name)
        found = Comparison() if offer is None else compare(pinned.pins, offer, pinned.approved)
        turned = self._turned.get(name, {})
        return msgspec.structs.replace(found, changed=tuple(sorted({*found.changed, *turned})))

    def denied(self, name: str) -> tuple[str, ...]:
        """Return the frozen items that a person said no to as they are now."""
        server = self.servers.get(name)
        said = {} if server is None else server.denied
        items = self.items(name) if said else {}
        return tuple(key for key in self.frozen.get(name, ()) if key in items and said.get(key) == digest(items[key]))

    def items(self, name: str) -> dict[str, Definition]:
        """Return a server's definitions by key, as they were seen last: a differing one before the pinned one."""
        offer = self._seen.get(name)
        return ({} if offer is None else keyed(offer)) | self._turned.get(name, {})

    def observe(self, name: str, offer: Offer) -> bool:
        """Take in a fresh listing of a running server; return whether it differs from the last one."""
        if name not in self.servers or self._seen.get(name) == offer:
            return False
        self._seen[name] = offer
        self._judge(name)
        self._changed()
        return True

    def compare(self, name: str, offer: Offer) -> None:
        """Take in the listing of one more process of a server: it shows nothing to clients, but may give it away."""
        if name not in self.servers:
            return
        pinned = self.pinned(name)
        found, now = compare(pinned.pins, offer, pinned.approved), keyed(offer)
        turned = {key: now[key] for key in found.changed if key not in self.frozen.get(name, ())}
        if turned:
            self._turned[name] = self._turned.get(name, {}) | turned
            self._judge(name)
            self._changed()

    def forgive(self, name: str) -> None:
        """Forget what single processes of a server showed: somebody has looked at it, or it is started anew."""
        self._turned.pop(name, None)

    def served(self) -> Mapping[str, Offer]:
        """Return what may be shown and called, by server: no quarantined server, no frozen item."""
        return {name: offer for name, offer in self.offers.items() if not self.servers[name].quarantined}

    def allowed(self) -> Mapping[str, Offer]:
        """Return what is served and may run, by server: nothing of what the policy's deny list names."""
        return {name: offer for name, offer in self.served().items() if not barred(self.servers[name], self._policy)}

    def tool_names(self) -> dict[str, tuple[str, ...]]:
        """Return the names of every server's tools."""
        return {name: tuple(tool.name for tool in offer.of(ItemKind.TOOL)) for name, offer in self._seen.items()}

    def _changed(self) -> None:
        self.revision += 1
        self._tell()

    async def _read_pins(self, name: str) -> None:
        servers = self._store.servers
        self._pinned[name] = Pinned(pins=await servers.pins(name), approved=await servers.approved(name))

    def _judge(self, name: str) -> None:
        """Freeze what differs from its pin: it is neither listed nor called until somebody or the policy approves."""
        offer = self._seen.get(name)
        if offer is None:
            return
        found, before = self.differing(name), self.frozen.get(name, ())
        frozen = self.frozen[name] = (*found.changed, *found.new)
        denied, before_denied = self.denied(name), self._denied.get(name, ())
        self._denied[name] = denied
        asked = [key for key in frozen if key not in denied]  # once somebody said no, that is that
        rules = {key: rule(key, self._policy, changed=key in found.changed) for key in asked}
        for key in asked:  # what is new and may come in by itself raises no alarm before it was looked at
            fresh = key not in before or key in before_denied
            if fresh and (key in found.changed or rules[key] != "allow"):
                self._emit(PinChanged(server=name, item=key))
        self.offers[name] = without(offer, frozen)
        if "allow" in rules.values():
            self.on_frozen(name)


def without(offer: Offer, frozen: tuple[str, ...]) -> Offer:
    """Return an offer without what is frozen of it; that is named in it."""
    if not frozen:
        return offer
    items, held = keyed(offer), set(frozen)
    kept = [item for key, item in items.items() if key not in held and item.kind is not ItemKind.INSTRUCTIONS]
    names = {(item.kind, item.name) for item in kept}  # a second item of one name does not take the first along
    held_back = dict.fromkeys((items[key].kind, items[key].name) for key in frozen if key in items)
    return msgspec.structs.replace(
        offer,
        items=tuple(kept),
        instructions="" if INSTRUCTIONS in held else offer.instructions,
        frozen=tuple(pair for pair in held_back if pair not in names),
    )
