"""Evidence as a replay: every kind reads well, and none that is odd brings it down."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.cli.replay import Step, step_of
from vsm_mcp.model.evidence import KINDS

SOURCES = Path(__file__).parents[3] / "src" / "vsm_mcp"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


def written() -> set[Any]:
    """Every kind that the code writes as a literal."""
    found: set[Any] = set()
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of_evidence = node.func.attr == "add" and ast.unparse(node.func.value).endswith("store.evidence")
            place = 1 if of_evidence else 0 if ast.unparse(node.func) in {"passage.record", "self.record"} else -1
            literal = node.args[place] if 0 <= place < len(node.args) else None
            if isinstance(literal, ast.Constant):
                found.add(literal.value)
    return found


def test_every_kind_that_is_written_is_documented() -> None:
    kinds = written()
    assert {"policy", "trial", "outcome", "recovered", "rollback", "difference", "judged"} <= kinds
    assert kinds <= set(KINDS)


@pytest.mark.parametrize("kind", [*KINDS, "of_tomorrow"])
@given(body=JSON)
def test_nothing_that_may_be_there_brings_it_down(kind: str, body: Any) -> None:
    step = step_of(kind, body)
    assert step.title
    assert all(isinstance(line, str) for line in (*step.facts, step.rule, step.decision))
    assert len(step.facts) <= 200


def test_a_decision_of_any_kind_is_told_by_the_schema() -> None:
    body = {
        "server": "files", "percent": 15, "facts": {"calls": 240, "p": 0.0123456789, "tools": ["a", "b"], "no": False},
        "rule": "two-proportion z-test", "decision": "advance", "reason": "as good as the incumbent", "by": "rollout",
    }  # fmt: skip
    assert step_of("rollout", body) == Step(
        "rollout",
        ("wanted by rollout", "calls: 240", "p: 0.0123457", "tools: a, b", "server: files", "percent: 15"),
        "two-proportion z-test",
        "advance: as good as the incumbent",
    )


@pytest.mark.parametrize(
    ("kind", "body", "title", "decision"),
    [
        (
            "policy",
            {"action": "add", "subject": "npm:x", "by": "cli", "facts": {}, "rule": "deny", "decision": "deny",
             "reason": "it is denied"},
            "the policy was asked: add npm:x",
            "deny: it is denied",
        ),
        ("rollback", {"from": "2", "to": "1", "by": "cli", "why": "it fell over"}, "back from 2 to 1", "it fell over"),
        ("resolved", {"version": "1.2", "packages": {"a": "1"}}, "resolved to 1.2", ""),
        ("outcome", {"outcome": "failed", "reason": {"code": "crashed", "message": "it fell over"}}, "ended: failed",
         "it fell over"),
        ("ranked", [{"ref": "npm:x", "score": 0.5, "reasons": ["a", "b", "c"]}], "1 candidates were ranked", ""),
    ],
)  # fmt: skip
def test_known_kinds_are_told_in_words(kind: str, body: Any, title: str, decision: str) -> None:
    step = step_of(kind, body)
    assert (step.title, step.decision) == (title, decision)


def test_long_lists_are_cut_and_say_so() -> None:
    step = step_of("of_tomorrow", {f"n{number}": "x" * 500 for number in range(40)})
    assert len(step.facts) == 13
    assert step.facts[-1] == "and 28 more (--full shows them)"
    assert max(map(len, step.facts)) < 200


def test_licences_are_counted_and_the_servers_own_is_named() -> None:
    step = step_of("licences", {"": "MIT", "a": "MIT", "b": "ISC", "c": "ISC"})
    assert step.facts == ("itself: MIT", "ISC: 2", "MIT: 1")


def test_a_finding_says_where_it_was_found() -> None:
    finding = {
        "severity": "note",
        "rule": "watch.reached_out",
        "where": "a.example",
        "text": "it was to be reached",
    }
    check = {"check": "watch", "status": "pass", "looked_at": 3, "unit": "calls", "findings": [finding]}
    assert "  note: watch.reached_out: a.example: it was to be reached" in step_of("walked", [check]).facts
