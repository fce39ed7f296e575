"""What one group of clients sees: a catalogue, and whoever listens for its changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.changes import ChangeBus
from vsm_mcp.model.definition import Offer
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.table import Naming


class View:
    """The catalogue as one profile shows it; swapped whole, and whoever listens is told what changed."""

    def __init__(self, listeners: int, page_items: int, name: Naming = exposed) -> None:
        self.changes = ChangeBus(listeners)
        self.catalogue = Catalogue({}, name=name)
        self._page_items = page_items
        self._name = name

    def show(self, offers: Mapping[str, Offer], denied: Collection[str]) -> None:
        """Show exactly ``offers`` (server → what it offers), without the tools that ``denied`` names."""
        before = self.catalogue
        self.catalogue = Catalogue(offers, denied, page_items=self._page_items, name=self._name, before=before)
        changed = self.catalogue.changed_since(before)
        if changed:
            self.changes.publish(changed)
