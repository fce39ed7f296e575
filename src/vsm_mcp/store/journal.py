"""The append-only journal: who or what did what, and what policy said; and the evidence of each acquisition."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

import msgspec

from vsm_mcp.model.action import Action, Decision
from vsm_mcp.store.database import Database


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal; ``at`` in seconds since the epoch."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    verdict: str
    rule: str
    detail: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of the journal are wanted: all of these hold; empty or 0 means any.

    ``actor``, ``action``, ``verdict`` and ``subject`` are compared as they are, ``subject`` from its beginning.
    ``since`` is in seconds since the epoch, ``before`` the number of a line: those written before it are wanted.
    """

    actor: str = ""
    action: str = ""
    verdict: str = ""
    subject: str = ""
    since: float = 0.0
    before: int = 0


class Journal:
    """Written before every action; the table refuses updates and deletions by trigger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, action: Action, decision: Decision, detail: str = "") -> int:
        """Write one line and return its number."""
        row = (
            time.time(),
            action.actor,
            action.kind.value,
            action.subject,
            decision.verdict.value,
            decision.rule,
            detail,
        )
        sql = "INSERT INTO journal(at, actor, action, subject, verdict, rule, detail) VALUES (?,?,?,?,?,?,?)"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(sql, row).lastrowid or 0

        return await self._database.run(work)

    async def last(self, limit: int = 100, wanted: Wanted | None = None) -> list[Entry]:
        """Return the newest lines that are wanted, oldest of them first."""
        asked = wanted or Wanted()
        sql = (
            "SELECT id, at, actor, action, subject, verdict, rule, detail FROM journal WHERE ?1 IN ('', actor)"
            " AND ?2 IN ('', action) AND ?3 IN ('', verdict) AND substr(subject, 1, length(?4)) = ?4 AND at >= ?5"
            " AND (?6 = 0 OR id < ?6) ORDER BY id DESC LIMIT ?7"
        )
        values = (asked.actor, asked.action, asked.verdict, asked.subject, asked.since, asked.before, limit)
        rows = await self._database.run(lambda connection: connection.execute(sql, values).fetchall())
        fields = Entry.__struct_fields__
        return [Entry(**dict(zip(fields, row, strict=True))) for row in reversed(rows)]


class Evidence:
    """What an acquisition saw and decided, step by step; the table refuses updates and deletions by trigger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, acquisition: str, kind: str, body: Any) -> None:
        """Append one record; ``body`` is anything msgspec can write as JSON. It must hold no secret."""
        data = msgspec.json.encode(body)
        sql = (
            "INSERT INTO evidence(acquisition, seq, at, kind, body) VALUES "
            "(?, (SELECT COALESCE(MAX(seq), 0) + 1 FROM evidence WHERE acquisition = ?), ?, ?, ?)"
        )
        await self._database.run(
            lambda connection: connection.execute(sql, (acquisition, acquisition, time.time(), kind, data))
        )

    async def of(self, acquisition: str) -> list[dict[str, Any]]:
        """Return the records of one acquisition in order: ``{"at", "kind", "body"}``."""
        sql = "SELECT at, kind, body FROM evidence WHERE acquisition = ? ORDER BY seq"
        rows = await self._database.run(lambda connection: connection.execute(sql, (acquisition,)).fetchall())
        return [{"at": at, "kind": kind, "body": json.loads(body)} for at, kind, body in rows]
