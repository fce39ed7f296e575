"""What was seen of servers while they were tried and used here; it outlives their removal."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from vsm_mcp.model.experience import Experience
from vsm_mcp.store.database import Database


class Experiences:
    """One record for each server, by the identity of its reference; times are in seconds since the epoch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, more: Mapping[str, Experience], now: float) -> None:
        """Add what was seen, by identity, to what is known; that has faded meanwhile."""

        def work(connection: sqlite3.Connection) -> None:
            for identity, seen in more.items():
                row = connection.execute("SELECT body, at FROM experience WHERE identity = ?", (identity,)).fetchone()
                whole = seen if row is None else _read(row[0]).faded(now - row[1]) + seen
                connection.execute(
                    "INSERT INTO experience(identity, body, at) VALUES (?,?,?) "
                    "ON CONFLICT(identity) DO UPDATE SET body = excluded.body, at = excluded.at",
                    (identity, msgspec.json.encode(whole), now),
                )

        await self._database.run(work)

    async def all(self, now: float) -> dict[str, Experience]:
        """Return what is known of every server, as much as it counts now."""
        sql = "SELECT identity, body, at FROM experience"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return {identity: _read(body).faded(now - at) for identity, body, at in rows}

    async def seen_at(self) -> dict[str, float]:
        """Return when something was seen of each server last, by identity."""
        sql = "SELECT identity, at FROM experience"
        return dict(await self._database.run(lambda connection: connection.execute(sql).fetchall()))


def _read(body: bytes) -> Experience:
    return msgspec.json.decode(body, type=Experience)
