"""Answers worth keeping for a while: registry texts."""

from __future__ import annotations

import time

from vsm_mcp.store.database import Database


class Cache:
    """Bytes by key with their age; the reader decides what is too old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """Return ``(body, age in seconds)`` or ``None``.

        What was kept in the future, by a clock that went back since, is as old as it is ahead.
        """
        sql = "SELECT body, at FROM cache WHERE key = ?"
        row = await self._database.run(lambda connection: connection.execute(sql, (key,)).fetchone())
        return None if row is None else (row[0], abs(time.time() - row[1]))

    async def put(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``, replacing what was there."""
        sql = (
            "INSERT INTO cache(key, body, at) VALUES (?,?,?) "
            "ON CONFLICT(key) DO UPDATE SET body = excluded.body, at = excluded.at"
        )
        await self._database.run(lambda connection: connection.execute(sql, (key, body, time.time())))

    async def drop(self, older_than: float) -> int:
        """Forget what was kept longer than so many seconds ago; return how many answers that were."""
        sql, now = "DELETE FROM cache WHERE at < ? OR at > ?", time.time()
        limits = (now - older_than, now + older_than)
        return await self._database.run(lambda connection: int(connection.execute(sql, limits).rowcount))
