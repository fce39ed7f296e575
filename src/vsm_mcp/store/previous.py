"""The version of a server before the one in service, with its settings, its offer and its pins: the way back."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

import msgspec

from vsm_mcp.model.server import Server
from vsm_mcp.store.database import Database

_NOW: Final = (
    "SELECT body, (SELECT body FROM offer WHERE server = name), (SELECT body FROM approved WHERE server = name),"
    " (SELECT json_group_object(item, digest) FROM pin WHERE pin.server = server.name) FROM server WHERE name = ?"
)
_BEFORE: Final = "SELECT body, offer, approved, pins FROM previous WHERE server = ?"
_KEEP: Final = (
    "INSERT INTO previous(server, body, offer, approved, pins, at) VALUES (?,?,?,?,?,?) ON CONFLICT(server) DO UPDATE"
    " SET body = excluded.body, offer = excluded.offer, approved = excluded.approved, pins = excluded.pins,"
    " at = excluded.at"
)
_Row = tuple[bytes, bytes | None, bytes | None, str]


class Previous:
    """At most one for each server; it goes with its server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, name: str) -> Server | None:
        """Return the server as it was before, or ``None``."""
        row = await self._database.run(lambda connection: connection.execute(_BEFORE, (name,)).fetchone())
        return None if row is None else msgspec.json.decode(row[0], type=Server)

    async def all(self) -> dict[str, Server]:
        """Return every previous version, by the name of its server."""
        sql = "SELECT server, body FROM previous"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return {name: msgspec.json.decode(body, type=Server) for name, body in rows}

    async def forget(self, name: str) -> None:
        """Keep no previous version of a server; idempotent."""
        sql = "DELETE FROM previous WHERE server = ?"
        await self._database.run(lambda connection: connection.execute(sql, (name,)))

    async def swap(self, name: str, acquisition: str) -> bool:
        """Put the previous version with the acquisition ``acquisition`` into service, and keep the present one for it.

        Server, offer, what was approved and pins change places in one transaction; which file asked for the server
        stays as it is: it asks for that name still. Does nothing, and returns false,
        where that is not the previous one (any more).
        """

        def work(connection: sqlite3.Connection) -> bool:
            before: _Row | None = connection.execute(_BEFORE, (name,)).fetchone()
            if before is None or msgspec.json.decode(before[0], type=Server).acquisition != acquisition:
                return False
            (now,) = connection.execute("SELECT body FROM server WHERE name = ?", (name,)).fetchone()
            origin = msgspec.json.decode(now, type=Server).origin
            keep(connection, name)
            _restore(connection, name, before, origin)
            return True

        return await self._database.run(work)


def keep(connection: sqlite3.Connection, name: str) -> None:
    """Write down what a server is now as its previous version; one that is not there has none."""
    now: _Row | None = connection.execute(_NOW, (name,)).fetchone()
    if now is not None:
        connection.execute(_KEEP, (name, *now, time.time()))


def _restore(connection: sqlite3.Connection, name: str, row: _Row, origin: str) -> None:
    body, offer, approved, pins = row
    body = msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(body, type=Server), origin=origin))
    now = time.time()
    connection.execute("UPDATE server SET body = ? WHERE name = ?", (body, name))
    for table, held in (("offer", offer), ("approved", approved)):
        connection.execute(f"DELETE FROM {table} WHERE server = ?", (name,))  # noqa: S608 - two names of ours
        if held is not None:
            connection.execute(f"INSERT INTO {table}(server, body, at) VALUES (?,?,?)", (name, held, now))  # noqa: S608
    connection.execute("DELETE FROM pin WHERE server = ?", (name,))
    rows = [(name, item, digest, now) for item, digest in msgspec.json.decode(pins, type=dict[str, str]).items()]
    connection.executemany("INSERT INTO pin(server, item, digest, at) VALUES (?,?,?,?)", rows)
