"""Everything that is served at one moment, as the bytes that answer for it. Immutable; swapped whole."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Final

from vsm_mcp.gateway import results
from vsm_mcp.gateway.display import Display
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.instructions import instructions
from vsm_mcp.gateway.lookup import Favour, Lookup, alike
from vsm_mcp.gateway.messages import encode
from vsm_mcp.gateway.param_headers import Rules
from vsm_mcp.gateway.shelf import Entry, Omitted, Shelf
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.table import Naming, Table, build
from vsm_mcp.wire import era

PAGE_ITEMS: Final = 5000
"""Items on one page: more than any fleet has, so that a client without cursors sees everything."""


class Listing:
    """One list (``tools``, ``prompts``, …): answers a page as bytes that were encoded beforehand."""

    def __init__(self, member: str, entries: Iterable[Entry], page_items: int) -> None:
        self._member = member.encode()
        self._page_items = max(1, page_items)
        ordered = sorted({entry.key: entry for entry in entries}.values(), key=lambda entry: entry.key)
        self.keys = tuple(entry.key for entry in ordered)
        self._modern = tuple(entry.modern for entry in ordered)
        self._legacy = tuple(entry.legacy for entry in ordered)
        self.first = {True: self._page(0, modern=True), False: self._page(0, modern=False)}

    def page(self, cursor: str, *, modern: bool) -> bytes:
        """Return the result for a page; an empty ``cursor`` is the first.

        A cursor names the last item seen, so it stays good when the list changes in between. Raises :class:`Fault`
        (-32602) for one that is not ours (specification, "Pagination").
        """
        if not cursor:
            return self.first[modern]
        return self._page(bisect_right(self.keys, self._opened(cursor)), modern=modern)

    def only(self, keys: Collection[str], more: Iterable[Entry] = ()) -> Listing:
        """Return the list with some of its items alone, and ``more``."""
        kept = (entry for entry in map(Entry, self.keys, self._modern, self._legacy) if entry.key in keys)
        return Listing(self._member.decode(), (*kept, *more), self._page_items)

    def same_as(self, other: Listing) -> bool:
        """Return whether a client would see no difference."""
        return self.keys == other.keys and self._modern == other._modern and self._legacy == other._legacy

    def _page(self, start: int, *, modern: bool) -> bytes:
        end = start + self._page_items
        entries = (self._modern if modern else self._legacy)[start:end]
        members = b'"%b":[%b]' % (self._member, b",".join(entries))
        if end < len(self.keys):
            members += b',"nextCursor":%b' % encode(self._cursor(self.keys[end - 1]))
        return results.modern(members, cacheable=True) if modern else b"{" + members + b"}"

    def _cursor(self, key: str) -> str:
        return base64.urlsafe_b64encode(self._member + b":" + key.encode("utf-8", "surrogatepass")).decode()

    def _opened(self, cursor: str) -> str:
        try:
            member, colon, key = base64.b64decode(cursor.encode(), b"-_", validate=True).partition(b":")
            if colon and member == self._member:
                return key.decode("utf-8", "surrogatepass")
        except (binascii.Error, UnicodeError):
            pass
        raise Fault(
            era.INVALID_PARAMS, "the cursor is not one of this list", encode({"hint": "start without a cursor"})
        )


class Catalogue:
    """A snapshot: the routing table, and the encoded lists that go with it.

    Whatever of ``offers`` the ``display`` shows is in the table and can be called by its name; the list of tools holds
    it, or where the display searches, the gateway's own tools that find it. ``searching`` says which, ``own`` are the
    names of the gateway's own tools that are listed. ``tasking`` holds the servers that make tasks of calls. ``favour``
    has a word in how tools are ranked for a need.
    """

    def __init__(
        self,
        offers: Mapping[str, Offer],
        denied: Collection[str] = (),
        *,
        page_items: int = PAGE_ITEMS,
        name: Naming = exposed,
        before: Catalogue | None = None,
        display: Display | None = None,
    ) -> None:
        self.favour: Favour = alike
        display = display or Display()
        served = {server: offers[server] for server in sorted(offers) if display.serves(server)}
        name = display.naming(served, name)
        self.shelves: dict[str, Shelf] = _shelves(served, name, before.shelves if before is not None else {})
        shelves = list(self.shelves.values())
        self.table: Table = _without_omitted(build(served, display.choice(denied), name), shelves)
        self.tools = {entry.key: entry for shelf in shelves for entry in shelf.tools if entry.key in self.table.tools}
        self.searching = display.searches(len(self.tools))
        own = display.own(searching=self.searching, denied=denied)
        self.own = frozenset(entry.key for entry in own)
        tools = own if self.searching else (*self.tools.values(), *own)
        self.listings: dict[str, Listing] = {
            "tools/list": Listing("tools", tools, page_items),
            "prompts/list": Listing("prompts", (e for shelf in shelves for e in shelf.prompts), page_items),
            "resources/list": Listing("resources", self._located(ItemKind.RESOURCE), page_items),
            "resources/templates/list": Listing("resourceTemplates", self._located(ItemKind.TEMPLATE), page_items),
        }
        self.tasking = {name: shelf.tasking for name, shelf in self.shelves.items() if shelf.tasking.support}
        self.rules: dict[str, Rules] = {key: rules for shelf in shelves for key, rules in shelf.rules.items()}
        self.instructions = instructions(display, self.own, shelves, self.table)

    @cached_property
    def lookup(self) -> Lookup:
        """What finds tools of this catalogue by need; it makes its index when it is first asked."""
        offers = {name: shelf.offer for name, shelf in self.shelves.items()}
        return Lookup(self.tools, self.table, offers, self.favour)

    @property
    def omitted(self) -> tuple[Omitted, ...]:
        """Return the items that servers offer and that cannot be listed, and why."""
        return tuple(item for shelf in self.shelves.values() for item in shelf.omitted)

    def subscribable(self, server: str) -> bool:
        """Return whether a server says that it announces changes of single resources."""
        shelf = self.shelves.get(server)
        return shelf is not None and shelf.subscribable

    def changed_since(self, before: Catalogue) -> tuple[str, ...]:
        """Return which of ``tools``, ``prompts`` and ``resources`` a client would see differently."""
        differing = [
            method for method, listing in self.listings.items() if not listing.same_as(before.listings[method])
        ]
        return tuple(dict.fromkeys(method.partition("/")[0] for method in differing))

    def _located(self, kind: ItemKind) -> list[Entry]:
        routes = self.table.resources if kind is ItemKind.RESOURCE else self.table.templates
        shown: dict[str, dict[str, str]] = {}
        for uri, route in routes.items():
            if uri != route.name:
                shown.setdefault(route.server, {})[route.name] = uri
        return [entry for shelf in self.shelves.values() for entry in shelf.located(kind, shown.get(shelf.server, {}))]


def _shelves(offers: Mapping[str, Offer], name: Naming, kept: Mapping[str, Shelf]) -> dict[str, Shelf]:
    """Return a shelf for each server, the one of before where offer and names are the same."""
    shelves: dict[str, Shelf] = {}
    for server, offer in offers.items():
        old = kept.get(server)
        same = old is not None and old.offer is offer and old.named_by(name)
        shelves[server] = old if old is not None and same else Shelf(server, offer, name)
    return shelves


def _without_omitted(table: Table, shelves: list[Shelf]) -> Table:
    """Return the table without tools that are not listed: what a client cannot see it shall not call by chance."""
    listed = {entry.key for shelf in shelves for entry in shelf.tools}
    tools = {key: route for key, route in table.tools.items() if key in listed}
    return Table(
        tools=tools,
        prompts=table.prompts,
        resources=table.resources,
        templates=table.templates,
        denied=table.denied,
        mapped=table.mapped,
        frozen=table.frozen,
    )
