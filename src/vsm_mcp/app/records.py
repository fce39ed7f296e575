"""What was written down: evidence and journal."""

from __future__ import annotations

from typing import Any

import msgspec

from vsm_mcp.errors import NotFound
from vsm_mcp.store import Store
from vsm_mcp.store.journal import Wanted


class Records:
    """Reads what the store keeps for good."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def evidence(self, acquisition: str) -> dict[str, Any]:
        """Return the record of one acquisition. Raises :class:`NotFound`."""
        records = await self._store.evidence.of(acquisition)
        if not records:
            raise NotFound(f"there is no acquisition {acquisition!r}", "vsm-mcp inspect NAME shows a server's")
        return {"acquisition": acquisition, "records": records}

    async def journal(self, limit: int = 50, **wanted: Any) -> dict[str, Any]:
        """Return the newest entries of the journal that are wanted (:class:`vsm_mcp.store.journal.Wanted`).

        ``earlier`` is what to give as ``before`` for those that come before them; 0: there are none.
        """
        found = await self._store.journal.last(limit + 1, Wanted(**wanted))
        shown = found[-limit:]
        earlier = shown[0].id if len(found) > limit else 0
        return {"entries": [msgspec.to_builtins(entry) for entry in shown], "earlier": earlier}
