"""What the index is built from: lists of packages as they come."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.build_index import chosen


@pytest.mark.parametrize("title", ["summary", "summary (words in brackets are not the authors')"])
def test_a_summary_is_read_whatever_its_title_remarks(tmp_path: Path, title: str) -> None:
    npm, pypi = tmp_path / "npm.tsv", tmp_path / "pypi.tsv"
    npm.write_text(
        f"name\tversion\tdownloads_a_month\t{title}\n"
        "@files/server\t1.2.0\t90000\tMCP server for the file system\n"
        "left-pad\t1.0.0\t5\tPads\n"
    )
    pypi.write_text(
        f"name\tversion\tmonth\trank_among_15000_most_downloaded\t{title}\nhash-mcp\t2.0\t2026-01\t5000\tHashes\n"
    )
    files, hashes = chosen(npm, pypi)
    assert (files.name, files.version, files.downloads, files.summary) == (
        "@files/server", "1.2.0", 90_000, "MCP server for the file system",
    )  # fmt: skip
    assert (hashes.name, hashes.rank, hashes.month, hashes.summary) == ("hash-mcp", 5000, "2026-01", "Hashes")
