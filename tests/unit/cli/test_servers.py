"""What a person reads beside a server in ``list`` and ``status``."""

from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.cli.servers import reason_of

POOL = {"ready": 1, "size": 2, "overflow": 0, "calls": 3, "waiting": 0}

CONDITION: dict[str, Any] = {
    "state": "failing",
    "reason": "connectivity: silent",
    "escalated": 0.0,
    "stands_in": [],
    "attempts": 2,
    "last_attempt": {"remedy": "hard_restart", "outcome": "failed"},
}
PERSON = "nothing mended it, it waits for a person"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"reason": ""}, ""),
        ({"reason": "", "pool": POOL}, "1 of 2 processes, 3 calls, 0 waiting"),
        ({"reason": "", "frozen": ["tool:a"], "waiting": ""}, "frozen until approved: tool:a"),
        ({"reason": "", "condition": CONDITION}, "failing: connectivity: silent; hard_restart failed"),
        ({"reason": "", "condition": CONDITION | {"escalated": 1.0}}, "failing: connectivity: silent; " + PERSON),
        ({"reason": "", "condition": CONDITION | {"state": "healthy"}}, ""),
        ({"reason": "", "condition": CONDITION | {"state": ""}}, ""),
        ({"reason": "it ended", "frozen": [], "waiting": "4711"}, "upgrade 4711 waits for approval; it ended"),
    ],
)
def test_what_waits_for_a_person_comes_first(row: dict[str, Any], said: str) -> None:
    assert reason_of(row) == said
