"""Factories for a retrieval benchmark: the product's own ranking over rows of a test corpus.

A factory takes a list of rows and returns an object whose ``search(query, k)`` gives up to ``k`` row ids, best first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsm_mcp.discovery.index import PackageIndex
from vsm_mcp.discovery.index_file import IndexFile, IndexRow, encode
from vsm_mcp.discovery.wiring import taxonomy
from vsm_mcp.matching.relevance import Matcher, Need, Thing
from vsm_mcp.matching.tools import ToolIndex, ToolText
from vsm_mcp.model.ref import RefKind

Row = Mapping[str, Any]
_POOL = 60
_POPULARITY = 0.15


class Tools:
    """Rows of tools: id, server, server_desc, name, desc, params [[name, description], …]."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._index = ToolIndex(
            ToolText(
                row["id"],
                row["name"],
                row["desc"] or "",
                " ".join(f"{name} {text}" for name, text in row["params"]),
                f"{row['server']} {row['server_desc']}" if row["server"] != row["name"] else row["server_desc"],
            )
            for row in rows
        )

    def search(self, query: str, k: int) -> list[str]:
        """Return up to ``k`` ids."""
        return [key for key, _ in self._index.search(query, k)]


class Servers:
    """Rows of packages (id, reg, name, desc, month, rank, dl) or of servers with tags and tools."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._ids = {row["id"]: row for row in rows}
        content = encode((_row(row) for row in rows), {})
        self._index = PackageIndex(IndexFile(content))
        self._matcher = Matcher(self._index, taxonomy())

    def search(self, query: str, k: int) -> list[str]:
        """Return up to ``k`` ids: found by the index, put in order by relevance and use, as discovery does it."""
        need = self._matcher.need(query)
        rated = [
            (self._relevance(need, place) + _POPULARITY * self._index.popularity(place), -rank, place)
            for rank, (place, _) in enumerate(self._index.search(need.query, _POOL))
        ]
        return [self._index.key(place) for _, _, place in sorted(rated, reverse=True)[:k]]

    def _relevance(self, need: Need, place: int) -> float:
        row = self._ids[self._index.key(place)]
        return self._matcher.match(need, Thing(row["name"], "", (), _summary(row))).score


def _row(row: Row) -> IndexRow:
    return IndexRow(
        kind=RefKind.NPM if row.get("reg") == "npm" else RefKind.PYPI,
        name=row["id"],
        summary=f"{row['name']} {_summary(row)}",
        downloads=row.get("dl") or 0,
        rank=row.get("rank") or 0,
        month=row.get("month") or "",
    )


def _summary(row: Row) -> str:
    tools = " ".join(f"{tool['name']} {tool.get('desc') or ''}" for tool in row.get("tools") or ())
    labels = " ".join([*(row.get("tags") or ()), *(row.get("categories") or ())])
    return f"{row['desc'] or ''} {labels} {tools}"


def tools(rows: Sequence[Row]) -> Tools:
    """Build the ranking of tools."""
    return Tools(rows)


def servers(rows: Sequence[Row]) -> Servers:
    """Build the ranking of servers."""
    return Servers(rows)
