"""Keys of access as they are kept: a hash, never the key (see :mod:`vsm_mcp.model.key`)."""

from __future__ import annotations

import sqlite3

import msgspec

from vsm_mcp.errors import StoreError
from vsm_mcp.model.key import Key
from vsm_mcp.model.principal import Grant
from vsm_mcp.store.database import Database


class Keys:
    """All keys; names and ids are unique."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: Key) -> None:
        """Keep a new key. Raises :class:`StoreError` when its name or its id is taken."""
        row = (key.id, key.name, key.digest, msgspec.json.encode(key.grant), key.created)
        sql = "INSERT INTO access_key(id, name, digest, grants, created) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"
        if not await self._database.run(lambda connection: connection.execute(sql, row).rowcount):
            raise StoreError(f"there is a key named {key.name!r} already", "give another name, or revoke it first")

    async def remove(self, name: str) -> bool:
        """Forget a key; ``False`` when there is none of that name."""

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute("DELETE FROM access_key WHERE name = ?", (name,)).rowcount > 0

        return await self._database.run(work)

    async def all(self) -> list[Key]:
        """Return every key, by name."""
        sql = "SELECT id, name, digest, grants, created FROM access_key ORDER BY name"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return [
            Key(id=ident, name=name, digest=digest, grant=msgspec.json.decode(grants, type=Grant), created=created)
            for ident, name, digest, grants, created in rows
        ]
