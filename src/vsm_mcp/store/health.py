"""What was tried to mend servers: it outlives the daemon, so that nobody begins at the bottom of the ladder again."""

from __future__ import annotations

import time

from vsm_mcp.store.database import Database


class Remembered:
    """One document for each server that something was tried with; it goes with its server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, server: str, body: bytes) -> None:
        """Remember a document (JSON) in the place of the one there is; a server that is gone is left alone."""
        sql = (
            "INSERT INTO health(server, body, at) SELECT name, ?, ? FROM server WHERE name = ? "
            "ON CONFLICT(server) DO UPDATE SET body = excluded.body, at = excluded.at"
        )
        row = (body, time.time(), server)
        await self._database.run(lambda connection: connection.execute(sql, row))

    async def all(self) -> dict[str, bytes]:
        """Return every document, by server."""
        sql = "SELECT server, body FROM health"
        return dict(await self._database.run(lambda connection: connection.execute(sql).fetchall()))

    async def forget(self, server: str) -> None:
        """Remember nothing of a server; idempotent."""
        sql = "DELETE FROM health WHERE server = ?"
        await self._database.run(lambda connection: connection.execute(sql, (server,)))
