from __future__ import annotations

import pytest

from vsm_mcp.model.counted import counted


@pytest.mark.parametrize(
    ("number", "things", "said"),
    [
        (0, "tools", "0 tools"),
        (1, "tools", "1 tool"),
        (1.0, "days", "1 day"),
        (0.5, "days", "0.5 days"),
        (2, "processes", "2 processes"),
        (1, "processes", "1 process"),
        (1, "entries", "1 entry"),
        (1, "searches", "1 search"),
        (1, "open files", "1 open file"),
        (1, "times", "1 time"),
        (1, "packages of the tree", "1 package of the tree"),
        (1, "signatures and attestations", "1 signature and attestation"),
        (12345, "files", "12345 files"),
    ],
)
def test_a_number_with_what_it_counts(number: float, things: str, said: str) -> None:
    assert counted(number, things) == said
