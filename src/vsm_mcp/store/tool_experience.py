"""What was seen of tools while they were used here; it outlives the removal of their servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.model.experience import HALF_LIFE_SECONDS
from vsm_mcp.model.tool_experience import ToolExperience
from vsm_mcp.store.database import Database

Key = tuple[str, str]
"""(identity of the server's reference, the tool's name there)"""

_LONGEST_SECONDS: Final = 8 * HALF_LIFE_SECONDS  # by then a thousand calls count as four
_decode: Final = msgspec.json.Decoder(ToolExperience).decode


class ToolExperiences:
    """One record for each tool; times are in seconds since the epoch. What nobody called for two years is dropped."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, more: Mapping[Key, ToolExperience], now: float) -> None:
        """Add what was seen to what is known; that has faded meanwhile."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tool_experience WHERE at < ?", (now - _LONGEST_SECONDS,))
            for key, seen in more.items():
                sql = "SELECT body, at FROM tool_experience WHERE identity = ? AND tool = ?"
                row = connection.execute(sql, key).fetchone()
                whole = seen if row is None else _decode(row[0]).faded(now - row[1]) + seen
                connection.execute(
                    "INSERT INTO tool_experience(identity, tool, body, at) VALUES (?,?,?,?) "
                    "ON CONFLICT(identity, tool) DO UPDATE SET body = excluded.body, at = excluded.at",
                    (*key, msgspec.json.encode(whole), now),
                )

        await self._database.run(work)

    async def all(self, now: float) -> dict[Key, ToolExperience]:
        """Return what is known of every tool, as much as it counts now."""
        sql = "SELECT identity, tool, body, at FROM tool_experience"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return {(identity, tool): _decode(body).faded(now - at) for identity, tool, body, at in rows}
