"""What one group of clients sees: a catalogue, and whoever listens for its changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.changes import ChangeBus
from vsm_mcp.gateway.display import Display
from vsm_mcp.gateway.lookup import Favour, alike
from vsm_mcp.model.definition import Offer
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.table import Naming


class View:
    """The catalogue as one profile shows it; swapped whole, and whoever listens is told what changed."""

    def __init__(
        self,
        listeners: int,
        page_items: int,
        name: Naming = exposed,
        *,
        display: Display | None = None,
        favour: Favour = alike,
    ) -> None:
        self.display = display or Display()
        self.changes = ChangeBus(listeners)
        self.catalogue = Catalogue({}, name=name, display=self.display)
        self._page_items = page_items
        self._name = name
        self._favour = favour

    def show(self, offers: Mapping[str, Offer], denied: Collection[str], alike: Catalogue | None = None) -> None:
        """Show what the display lets through of ``offers`` (server → what it offers) and ``denied`` does not name.

        ``alike`` is a catalogue of the same offers whose parts may be used where the names are the same.
        """
        before = self.catalogue
        self.catalogue = Catalogue(
            offers,
            denied,
            page_items=self._page_items,
            name=self._name,
            before=before if alike is None or self.display.plain_names else alike,
            display=self.display,
        )
        self.catalogue.favour = self._favour
        changed = self.catalogue.changed_since(before)
        if changed:
            self.changes.publish(changed)
