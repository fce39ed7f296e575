from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.cli.routing_text import breaker_line, routing_lines

QUIET: dict[str, Any] = {
    "breakers": [],
    "groups": [],
    "degraded": {},
    "cache": {"entries": 0, "bytes": 0, "limit_bytes": 1024, "hits": 0, "misses": 0},
}
OPEN: dict[str, Any] = {
    "server": "a",
    "tool": "look",
    "state": "open",
    "failure": "timeout",
    "seconds": 7.2,
    "refused": 3,
}


def test_nothing_is_said_where_all_is_as_always(capsys: pytest.CaptureFixture[str]) -> None:
    routing_lines(QUIET)
    assert capsys.readouterr().out == ""


def test_what_is_not_as_always(capsys: pytest.CaptureFixture[str]) -> None:
    replica = {"server": "b", "weight": 2.0, "priority": 1, "calls": 4, "able": False}
    cache = {"entries": 2, "bytes": 600, "limit_bytes": 1024, "hits": 5, "misses": 2}
    groups = [{"server": "a", "replicas": [replica]}]
    routing_lines({"breakers": [OPEN], "groups": groups, "degraded": {"c": 0.25}, "cache": cache})
    said = capsys.readouterr().out
    assert "a: look is left alone for 7 s more (timeout); 3 calls refused" in said
    assert "c counts for 25% of itself" in said
    assert "kept: 2 results" in said
    [row] = [line.split() for line in said.splitlines() if line.split()[:2] == ["a", "b"]]
    assert row == ["a", "b", "2", "1", "4", "no"]


def test_a_server_that_is_being_tried() -> None:
    assert breaker_line({**OPEN, "tool": "", "state": "half_open"}).startswith("a is being tried (timeout)")
