"""Needs as they were seen, each once for each source: how often, since when, how often a tool met it at once."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from vsm_mcp.model.need import Seen
from vsm_mcp.store.database import Database

MOST: Final = 10_000
"""So many rows are kept; beyond them, what was not seen for longest is forgotten first."""

_LONGEST: Final = 500


class Demand:
    """Needs as they were seen: declared, searched for, called and not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, need: str, source: str, *, met: bool) -> None:
        """Count one need. ``source`` is one of :data:`~vsm_mcp.model.need.SOURCES`."""
        text, now = " ".join(need.split())[:_LONGEST], time.time()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO demand(key, source, need, count, met, first, last) VALUES (?,?,?,1,?,?,?) "
                "ON CONFLICT(key, source) DO UPDATE SET count = count + 1, met = met + excluded.met, "
                "last = MAX(last, excluded.last)",
                (text.lower(), source, text, int(met), now, now),
            )
            (rows,) = connection.execute("SELECT COUNT(*) FROM demand").fetchone()
            if rows > MOST:
                oldest = "SELECT rowid FROM demand ORDER BY last LIMIT ?"
                connection.execute(f"DELETE FROM demand WHERE rowid IN ({oldest})", (rows - MOST,))  # noqa: S608 - words of ours

        if text:
            await self._database.run(work)

    async def since(self, moment: float) -> list[Seen]:
        """Return what was seen since ``moment`` (seconds since the epoch), what was seen first before the rest."""
        sql = "SELECT need, source, count, met, first, last FROM demand WHERE last >= ? ORDER BY first, need, source"
        rows = await self._database.run(lambda connection: connection.execute(sql, (moment,)).fetchall())
        fields = Seen.__struct_fields__
        return [Seen(**dict(zip(fields, row, strict=True))) for row in rows]
