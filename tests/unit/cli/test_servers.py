"""What a person reads beside a server in ``list`` and ``status``."""

from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.cli.servers import reason_of

POOL = {"ready": 1, "size": 2, "overflow": 0, "calls": 3, "waiting": 0}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"reason": ""}, ""),
        ({"reason": "", "pool": POOL}, "1 of 2 processes, 3 calls, 0 waiting"),
        ({"reason": "", "frozen": ["tool:a"], "waiting": ""}, "frozen until approved: tool:a"),
        ({"reason": "it ended", "frozen": [], "waiting": "4711"}, "upgrade 4711 waits for approval; it ended"),
    ],
)
def test_what_waits_for_a_person_comes_first(row: dict[str, Any], said: str) -> None:
    assert reason_of(row) == said
