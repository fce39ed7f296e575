"""Acquisitions on their way: the plan and the step, written before the step begins."""

from __future__ import annotations

import time

import msgspec

from vsm_mcp.store.database import Database


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that undoing an acquisition needs, or finishing it: names, no objects.

    ``previous`` is the version that ``current`` pointed to before (empty: none), ``earlier`` the one that ``previous``
    pointed to. ``superseded`` are the acquisitions whose secrets nobody needs any more once this one has reached the
    catalogue. ``back_to`` is set for a rollback alone: the acquisition that made ``version``, which is there already.
    """

    server: str = ""
    version: str = ""
    previous: str = ""
    earlier: str = ""
    superseded: tuple[str, ...] = ()
    back_to: str = ""


class Saga(msgspec.Struct, frozen=True, kw_only=True):
    """One acquisition: its id, what it is about, how far it came; ``rolling``: by stages, see :meth:`Sagas.wait`."""

    id: str
    subject: str
    state: str
    step: str
    plan: Plan
    proposal: bytes = b""
    rolling: bool = False


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
        """Write how an acquisition ended: ``done``, ``undone`` or ``stuck``; what it proposed is forgotten."""
        sql = "UPDATE saga SET state = ?, updated = ?, proposal = NULL WHERE id = ?"
        await self._database.run(lambda connection: connection.execute(sql, (state, time.time(), saga_id)))

    async def wait(self, saga_id: str, proposal: bytes, *, rolling: bool = False) -> None:
        """Write that an acquisition is ready and waits; ``proposal`` is all that going on needs (JSON).

        It waits for a person, or for the end of its rollout.
        """
        sql = "UPDATE saga SET state = 'waiting', updated = ?, proposal = ?, rolling = ? WHERE id = ?"
        row = (time.time(), proposal, rolling, saga_id)
        await self._database.run(lambda connection: connection.execute(sql, row))

    async def resume(self, saga_id: str) -> None:
        """Write that what waited goes on; what it proposed is kept until its end."""
        sql = "UPDATE saga SET state = 'running', updated = ? WHERE id = ? AND state = 'waiting'"
        await self._database.run(lambda connection: connection.execute(sql, (time.time(), saga_id)))

    async def waiting(self) -> list[Saga]:
        """Return what waits for a person, oldest first."""
        return [saga for saga in await self.ready() if not saga.rolling]

    async def ready(self) -> list[Saga]:
        """Return what lies ready, for whatever it waits, oldest first."""
        return await self._in("'waiting'")

    async def unfinished(self) -> list[Saga]:
        """Return the acquisitions that a dead process left behind, oldest first."""
        return await self._in("'running', 'stuck'")

    async def _in(self, states: str) -> list[Saga]:
        columns = "id, subject, state, step, plan, proposal, rolling"
        sql = f"SELECT {columns} FROM saga WHERE state IN ({states}) ORDER BY started"  # noqa: S608 - words of ours
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return [
            Saga(
                id=row[0],
                subject=row[1],
                state=row[2],
                step=row[3],
                plan=msgspec.json.decode(row[4], type=Plan),
                proposal=row[5] or b"",
                rolling=bool(row[6]),
            )
            for row in rows
        ]

    async def ids(self) -> set[str]:
        """Return the ids of all acquisitions there ever were."""
        rows = await self._database.run(lambda connection: connection.execute("SELECT id FROM saga").fetchall())
        return {ident for (ident,) in rows}

    async def servers(self) -> set[str]:
        """Return the names of all servers that an acquisition was ever about."""
        sql = "SELECT DISTINCT json_extract(CAST(plan AS TEXT), '$.server') FROM saga"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return {name for (name,) in rows if name}
