"""Names without the server's part, where nothing else in the same view could be meant by them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.routing.names import MAX_LENGTH, SEPARATOR, exposed

_NAMED: Final = (ItemKind.TOOL, ItemKind.PROMPT)
_PLAIN: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}")


class PlainNames:
    """A :data:`~vsm_mcp.routing.table.Naming`: an item's own name, or ``server__name`` where that will not do.

    It will not do when several of ``offers`` have a tool or prompt of that name (then none of them keeps it, so that
    no name ever means another server's item than before), when it is in ``reserved``, when it is not made of
    ``[A-Za-z0-9_-]{1,64}``, and when it holds ``__``, so that it cannot be taken for another item's prefixed name.
    """

    def __init__(self, offers: Mapping[str, Offer], reserved: Collection[str] = ()) -> None:
        owners: dict[str, set[str]] = {}
        for server, offer in offers.items():
            for item in offer.items:
                if item.kind in _NAMED:
                    owners.setdefault(item.name, set()).add(server)
        self._owner = {
            name: next(iter(servers))
            for name, servers in owners.items()
            if len(servers) == 1 and name not in reserved and SEPARATOR not in name and _PLAIN.fullmatch(name)
        }

    def __call__(self, server: str, item: str) -> str:
        """Return the name under which ``item`` of ``server`` is served."""
        return item if self._owner.get(item) == server else exposed(server, item)
