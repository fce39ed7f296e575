"""What the autopilot remembers between its looks, and what it has used of its budget."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from vsm_mcp.model.need import Past, Proposal, Tenure
from vsm_mcp.store.database import Database

Kind = Literal["need", "server", "proposal"]
_KEPT_SECONDS: Final = 40 * 86_400.0


class Memory:
    """Typed records by key; times are in seconds since the epoch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def needs(self) -> dict[str, Past]:
        """Return what became of each need, by its key."""
        return {key: msgspec.json.decode(body, type=Past) for key, body in await self._all("need")}

    async def servers(self) -> dict[str, Tenure]:
        """Return what is remembered of each server, by its name."""
        return {key: msgspec.json.decode(body, type=Tenure) for key, body in await self._all("server")}

    async def proposals(self) -> dict[str, Proposal]:
        """Return what waits for a person, by its id, oldest first."""
        return {key: msgspec.json.decode(body, type=Proposal) for key, body in await self._all("proposal")}

    async def put_need(self, key: str, past: Past) -> None:
        """Remember what became of a need."""
        await self._put("need", key, past)

    async def put_server(self, name: str, tenure: Tenure) -> None:
        """Remember something of a server."""
        await self._put("server", name, tenure)

    async def put_proposal(self, proposal: Proposal) -> None:
        """Have something wait for a person."""
        await self._put("proposal", proposal.id, proposal)

    async def drop(self, kind: Kind, key: str) -> None:
        """Forget; idempotent."""
        sql = "DELETE FROM memory WHERE kind = ? AND key = ?"
        await self._database.run(lambda connection: connection.execute(sql, (kind, key)))

    async def spend(self, amounts: Mapping[str, float]) -> None:
        """Count what was used; what is older than any budget is forgotten."""
        now = time.time()
        rows = [(now, what, amount) for what, amount in amounts.items() if amount]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT INTO spending(at, what, amount) VALUES (?,?,?)", rows)
            connection.execute("DELETE FROM spending WHERE at < ?", (now - _KEPT_SECONDS,))

        await self._database.run(work)

    async def spent(self, since: float) -> dict[str, float]:
        """Return what was used since a moment, by what it is."""
        sql = "SELECT what, SUM(amount) FROM spending WHERE at >= ? GROUP BY what"
        return dict(await self._database.run(lambda connection: connection.execute(sql, (since,)).fetchall()))

    async def _all(self, kind: Kind) -> list[tuple[str, bytes]]:
        sql = "SELECT key, body FROM memory WHERE kind = ? ORDER BY at, key"
        return await self._database.run(lambda connection: connection.execute(sql, (kind,)).fetchall())

    async def _put(self, kind: Kind, key: str, body: msgspec.Struct) -> None:
        sql = (
            "INSERT INTO memory(kind, key, body, at) VALUES (?,?,?,?) "
            "ON CONFLICT(kind, key) DO UPDATE SET body = excluded.body"
        )
        row = (kind, key, msgspec.json.encode(body), time.time())
        await self._database.run(lambda connection: connection.execute(sql, row))
