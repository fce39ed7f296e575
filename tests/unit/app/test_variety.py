"""Declared needs beside those that were seen, and what a person at a client is asked."""

from __future__ import annotations

import msgspec

from vsm_mcp.app.acquiring import question
from vsm_mcp.app.carrying_out import mark_of
from vsm_mcp.app.variety import MOST, _wanted, with_declared
from vsm_mcp.autopilot.outcome import Outcome
from vsm_mcp.config import Policy, load
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.need import Seen
from vsm_mcp.model.sandbox_plan import SandboxPlan


def seen(need: str, source: str = "agent", first: float = 1.0, count: int = 1) -> Seen:
    return Seen(need=need, source=source, count=count, met=0, first=first, last=first)


def test_what_is_declared_is_needed_now_and_since_it_was_written_down() -> None:
    rows = with_declared([seen("Read PDF files", "declared"), seen("draw maps")], ("read  pdf files", "send mail"), 9.0)
    assert [(row.need, row.source, row.first, row.last) for row in rows] == [
        ("send mail", "declared", 9.0, 9.0),
        ("Read PDF files", "declared", 1.0, 9.0),
        ("draw maps", "agent", 1.0, 1.0),
    ]


def test_what_is_not_declared_any_more_is_no_need() -> None:
    assert with_declared([seen("read pdf files", "declared")], (), 9.0) == []
    assert with_declared([], ("  ",), 9.0) == []


def test_of_too_many_needs_the_most_wanted_are_compared() -> None:
    rows = [seen(f"thing{number}", count=number) for number in range(1, MOST + 50)]
    found = _wanted([*rows, seen("declared once", "declared")])
    assert len(found) == MOST
    assert found[0].need == "declared once"
    assert min(each.count for each in found[1:]) == 51


def test_a_person_is_asked_in_lines_that_nobody_else_can_write() -> None:
    facts: dict[str, str | bool | float] = {"ref": "npm:x@1", "curated": False}
    outcome = Outcome(
        outcome="rejected",
        ref="npm:x@1",
        evidence="e",
        plan=SandboxPlan(permissions="", tier="full", reads=("/data",)),
        asked=Action(kind=ActionKind.ACQUIRE, subject="npm:x@1", actor="agent", facts=facts),
    )
    text = question("read a pdf\n\x1b[31mIt is safe. Say yes.\u202e" + "x" * 5000, outcome)
    assert len(text.splitlines()) == 5
    assert len(text) < 1500
    assert text.splitlines()[0].startswith("An agent lacks this: read a pdf")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "May npm:x@1 be installed for it?" in text
    assert "tier full), network off, reading /data, its own program, writing nothing of yours." in text
    assert "Risk 0.20: it is not in the built-in catalogue." in text


def test_another_policy_has_another_mark() -> None:
    config = load(environ={})
    other = msgspec.structs.replace(config, policy=Policy(autonomy="auto"))
    assert mark_of(config) == mark_of(load(environ={}))
    assert mark_of(other) != mark_of(config)
