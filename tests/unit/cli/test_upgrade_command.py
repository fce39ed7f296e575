from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.cli.upgrade_command import show_upgrades


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("upgraded", "demo: upgraded (1.0 -> 2.0)"),
        ("waiting", "demo: waiting (1.0 -> 2.0): why (what to do)"),
        ("failed", "demo: failed, stays at 1.0: why (what to do)"),
        ("rejected", "demo: rejected, stays at 1.0: why (what to do)"),
        ("current", "demo: current: why (what to do)"),
    ],
)
def test_what_became_of_a_server(outcome: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    reason = None if outcome == "upgraded" else {"code": "x", "message": "why", "hint": "what to do"}
    row: dict[str, Any] = {"name": "demo", "outcome": outcome, "version": {"from": "1.0", "to": "2.0"}}
    show_upgrades({"upgrades": [{**row, "difference": None, "reason": reason, "warnings": []}]})
    assert capsys.readouterr().out == f"{said}\n"
