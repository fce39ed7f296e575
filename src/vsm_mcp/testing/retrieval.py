"""Factories for a retrieval benchmark: the product's own ranking over rows of a test corpus.

A factory takes a list of rows and returns an object whose ``search(query, k)`` gives up to ``k`` row ids, best first.
``tools`` and ``servers`` are what is installed by default, ``semantic_tools`` and ``semantic_servers`` with the extra,
``lexical_tools`` and ``lexical_servers`` words alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from vsm_mcp.discovery.index_file import IndexFile, IndexRow, encode, place_of
from vsm_mcp.discovery.meaning import ShippedMeaning, meaning
from vsm_mcp.discovery.package_index import PackageIndex
from vsm_mcp.discovery.samples import ShippedSamples
from vsm_mcp.discovery.wiring import taxonomy
from vsm_mcp.matching.meaning import Meaning, Table
from vsm_mcp.matching.need import Reader
from vsm_mcp.matching.servers import ServerIndex
from vsm_mcp.matching.tools import ToolIndex
from vsm_mcp.matching.wording import ServerText, ToolText, described
from vsm_mcp.model.ref import RefKind

Row = Mapping[str, Any]


class Tools:
    """Rows of tools: id, server, server_desc, name, desc, params [[name, description], …]."""

    def __init__(self, rows: Sequence[Row], means: Meaning | None) -> None:
        self._index = ToolIndex(
            (
                ToolText(
                    row["id"],
                    row["name"],
                    row["desc"] or "",
                    " ".join(f"{name} {text}" for name, text in row["params"]),
                    f"{row['server']} {row['server_desc']}" if row["server"] != row["name"] else row["server_desc"],
                )
                for row in rows
            ),
            means,
        )

    def search(self, query: str, k: int) -> list[str]:
        """Return up to ``k`` ids."""
        return [key for key, _ in self._index.search(query, k)]


class Packages:
    """Rows of packages: id, reg, name, desc, month, rank, dl. Republications stay in, as in the set."""

    def __init__(self, rows: Sequence[Row], means: Meaning | None) -> None:
        ids = {(package.kind, package.name): row["id"] for row in rows for package in [_package(row)]}
        packages = sorted(map(_package, rows), key=place_of)
        self._ids = [ids[package.kind, package.name] for package in packages]
        texts = [described(package.name, package.summary) for package in packages]
        self._index = PackageIndex(IndexFile(encode(packages, {})), Table(means.embed(texts)) if means else None)
        callings = ShippedSamples(means) if isinstance(means, ShippedMeaning) else None
        self._reader = Reader(self._index, taxonomy(), means, callings)

    def search(self, query: str, k: int) -> list[str]:
        """Return up to ``k`` ids, as the source ``index`` finds them."""
        need = self._reader.read(query)
        ranked = self._index.search(need.query, k, need.vector, need.turns)
        return [self._ids[place] for place, _ in ranked]


class Offers:
    """Rows of servers with their tools: id, name, desc, categories, tags, tools [{name, desc}, …]."""

    def __init__(self, rows: Sequence[Row], means: Meaning | None) -> None:
        self._index = ServerIndex(map(_offer, rows), means)

    def search(self, query: str, k: int) -> list[str]:
        """Return up to ``k`` ids, as the sources that read lists find them."""
        return [key for key, _ in self._index.search(query, k)]


def _offer(row: Row) -> ServerText:
    labels = " ".join([*(row.get("categories") or ()), *(row.get("tags") or ())])
    tools = tuple((tool["name"], tool.get("desc") or "") for tool in row["tools"] or ())
    return ServerText(row["id"], row["name"], row["desc"] or "", labels, tools)


def _package(row: Row) -> IndexRow:
    return IndexRow(
        kind=RefKind.NPM if row.get("reg") == "npm" else RefKind.PYPI,
        name=row["name"],
        summary=row["desc"] or "",
        downloads=row.get("dl") or 0,
        rank=row.get("rank") or 0,
        month=row.get("month") or "",
    )


def _servers(rows: Sequence[Row], means: Meaning | None) -> Packages | Offers:
    # Lists of servers are ranked by the model of words, with the extra too.
    return Offers(rows, means and meaning()) if "tools" in rows[0] else Packages(rows, means)


def tools(rows: Sequence[Row]) -> Tools:
    """Build the ranking of tools."""
    return Tools(rows, meaning())


def servers(rows: Sequence[Row]) -> Packages | Offers:
    """Build the ranking of servers."""
    return _servers(rows, meaning())


def semantic_tools(rows: Sequence[Row]) -> Tools:
    """Build the ranking of tools with the extra."""
    return Tools(rows, meaning(semantic=True))


def semantic_servers(rows: Sequence[Row]) -> Packages | Offers:
    """Build the ranking of servers with the extra."""
    return _servers(rows, meaning(semantic=True))


lexical_tools = partial(Tools, means=None)
lexical_servers = partial(_servers, means=None)
