"""Rollouts, under way or over: the last one of each server, so that any stage of it survives the daemon."""

from __future__ import annotations

import time

import msgspec

from vsm_mcp.model.rollout import Rollout
from vsm_mcp.store.database import Database


class Rollouts:
    """At most one for each server: a new one takes the place of the one before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, rollout: Rollout) -> None:
        """Write down how a rollout stands."""
        row = (rollout.server, msgspec.json.encode(rollout), time.time())
        sql = (
            "INSERT INTO rollout(server, body, updated) VALUES (?,?,?) ON CONFLICT(server) DO UPDATE"
            " SET body = excluded.body, updated = excluded.updated"
        )
        await self._database.run(lambda connection: connection.execute(sql, row))

    async def forget(self, server: str) -> None:
        """Forget the rollout of a server; idempotent."""
        sql = "DELETE FROM rollout WHERE server = ?"
        await self._database.run(lambda connection: connection.execute(sql, (server,)))

    async def all(self) -> list[Rollout]:
        """Return every rollout, by the name of its server."""
        sql = "SELECT body FROM rollout ORDER BY server"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return [msgspec.json.decode(body, type=Rollout) for (body,) in rows]
