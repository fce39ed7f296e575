"""Acquisitions on their way: the plan and the step, written before the step begins."""

from __future__ import annotations

import time

import msgspec

from vsm_mcp.store.database import Database


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that undoing an acquisition needs: names, no objects.

    ``previous`` is the version that ``current`` pointed to before (empty: none); ``fresh`` says that the version's
    folder did not exist before.
    """

    server: str = ""
    version: str = ""
    previous: str = ""
    fresh: bool = True
    server_known: bool = False


class Saga(msgspec.Struct, frozen=True, kw_only=True):
    """One acquisition: its id, what it is about, how far it came."""

    id: str
    subject: str
    state: str
    step: str
    plan: Plan


class Sagas:
    """The write-ahead table of acquisitions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, saga_id: str, subject: str) -> None:
        """Write that an acquisition starts."""
        now = time.time()
        row = (saga_id, subject, "running", "start", msgspec.json.encode(Plan()), now, now)
        sql = "INSERT INTO saga(id, subject, state, step, plan, started, updated) VALUES (?,?,?,?,?,?,?)"
        await self._database.run(lambda connection: connection.execute(sql, row))

    async def step(self, saga_id: str, step: str, plan: Plan) -> None:
        """Write that a step is about to begin."""
        row = (step, msgspec.json.encode(plan), time.time(), saga_id)
        sql = "UPDATE saga SET step = ?, plan = ?, updated = ? WHERE id = ?"
        await self._database.run(lambda connection: connection.execute(sql, row))

    async def end(self, saga_id: str, state: str) -> None:
        """Write how an acquisition ended: ``done``, ``undone`` or ``stuck``."""
        sql = "UPDATE saga SET state = ?, updated = ? WHERE id = ?"
        await self._database.run(lambda connection: connection.execute(sql, (state, time.time(), saga_id)))

    async def unfinished(self) -> list[Saga]:
        """Return the acquisitions that a dead process left behind, oldest first."""
        sql = "SELECT id, subject, state, step, plan FROM saga WHERE state IN ('running', 'stuck') ORDER BY started"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return [
            Saga(id=id_, subject=subject, state=state, step=step, plan=msgspec.json.decode(plan, type=Plan))
            for id_, subject, state, step, plan in rows
        ]

    async def servers(self) -> set[str]:
        """Return the names of all servers that an acquisition was ever about."""
        sql = "SELECT DISTINCT json_extract(CAST(plan AS TEXT), '$.server') FROM saga"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return {name for (name,) in rows if name}
