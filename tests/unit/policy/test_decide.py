from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.config import Policy
from vsm_mcp.model.action import Action, ActionKind, Verdict
from vsm_mcp.policy import decide, matches, tool_denied


def add(
    ref: str = "npm:x@1.0", *, actor: str = "cli", kind: ActionKind = ActionKind.ADD, **facts: bool | str
) -> Action:
    return Action(kind=kind, subject=ref, actor=actor, facts={"ref": ref, **facts})


@pytest.mark.parametrize(
    ("policy", "action", "verdict", "rule"),
    [
        (Policy(deny=("npm:x",)), add(approved=True), Verdict.DENY, "deny:npm:x"),
        (Policy(deny=("npm:@evil/*",)), add("npm:@evil/a@1"), Verdict.DENY, "deny:npm:@evil/*"),
        (Policy(deny=("npm:x",)), add("npm:xy@1", approved=True), Verdict.ALLOW, "approved"),
        (Policy(allow=("pypi:*",)), add(approved=True), Verdict.DENY, "allow"),
        (Policy(allow=("npm:*",)), add(approved=True), Verdict.ALLOW, "approved"),
        (Policy(allow_scripts=False), add(scripts=True, approved=True), Verdict.DENY, "allow_scripts"),
        (Policy(allow_network=False), add(network=True, approved=True), Verdict.DENY, "allow_network"),
        (Policy(allow_unsandboxed=False), add(unsandboxed=True, approved=True), Verdict.DENY, "allow_unsandboxed"),
        (Policy(), add(judgement="reject", approved=True), Verdict.DENY, "vetting"),
        (Policy(), add(), Verdict.ASK, "autonomy:ask"),
        (Policy(autonomy="manual"), add(approved=True), Verdict.ALLOW, "approved"),
        (Policy(autonomy="manual"), add(kind=ActionKind.ACQUIRE, approved=True), Verdict.DENY, "autonomy:manual"),
        (Policy(autonomy="guarded"), add(curated=True), Verdict.ALLOW, "autonomy:guarded"),
        (Policy(autonomy="guarded"), add(curated=False), Verdict.ASK, "autonomy:guarded"),
        (Policy(autonomy="guarded"), add(curated=True, network=True), Verdict.ASK, "autonomy:guarded"),
        (Policy(autonomy="guarded"), add(curated=True, whole_network=True), Verdict.ASK, "autonomy:guarded"),
        (Policy(autonomy="auto"), add(actor="agent"), Verdict.ALLOW, "autonomy:auto"),
        (Policy(autonomy="auto"), add(permissions="read-only"), Verdict.ALLOW, "autonomy:auto"),
        (Policy(autonomy="auto"), add(permissions="browser"), Verdict.ASK, "permissions_unasked"),
        (Policy(autonomy="auto"), add(permissions="browser", approved=True), Verdict.ALLOW, "approved"),
        (
            Policy(autonomy="auto"),
            add(permissions="browser", approved=True, actor="agent"),
            Verdict.ASK,
            "permissions_unasked",
        ),
        (Policy(autonomy="guarded"), add(permissions="mine", curated=True), Verdict.ASK, "permissions_unasked"),
        (Policy(autonomy="auto", permissions_unasked=("*",)), add(permissions="mine"), Verdict.ALLOW, "autonomy:auto"),
        (Policy(autonomy="auto", permissions_unasked=()), add(permissions="none"), Verdict.ASK, "permissions_unasked"),
        (Policy(), add(actor="agent", approved=True), Verdict.ASK, "autonomy:ask"),
        (Policy(), add(kind=ActionKind.REMOVE), Verdict.ALLOW, "operator"),
        (Policy(), add(kind=ActionKind.REMOVE, actor="agent"), Verdict.ASK, "operator"),
        (Policy(deny=("npm:x",)), add(kind=ActionKind.START), Verdict.DENY, "deny:npm:x"),
        (Policy(), add(kind=ActionKind.START, actor="supervisor"), Verdict.ALLOW, "operator"),
        (Policy(), add(kind=ActionKind.REINSTALL, actor="health"), Verdict.ALLOW, "operator"),
        (Policy(autonomy="manual"), add(kind=ActionKind.REPLACE, actor="health"), Verdict.ALLOW, "operator"),
        (Policy(deny=("npm:x",)), add(kind=ActionKind.REINSTALL, actor="health"), Verdict.DENY, "deny:npm:x"),
        (Policy(autonomy="auto"), add(kind=ActionKind.APPROVE, actor="agent"), Verdict.ASK, "autonomy:auto"),
        (Policy(), add(kind=ActionKind.APPROVE, approved=True), Verdict.ALLOW, "approved"),
        (Policy(), add(kind=ActionKind.APPROVE, approved=True, pins_denied="new_items"), Verdict.DENY, "new_items"),
        (Policy(), add(kind=ActionKind.UPGRADE), Verdict.ASK, "autonomy:ask"),
        (Policy(), add(kind=ActionKind.UPGRADE, approved=True), Verdict.ALLOW, "approved"),
        (Policy(deny=("npm:x",)), add(kind=ActionKind.UPGRADE, approved=True), Verdict.DENY, "deny:npm:x"),
        (Policy(allow=("pypi:*",)), add(kind=ActionKind.UPGRADE, approved=True), Verdict.DENY, "allow"),
        (Policy(autonomy="guarded"), add(kind=ActionKind.UPGRADE, curated=True), Verdict.ALLOW, "autonomy:guarded"),
        (Policy(), add(kind=ActionKind.ROLLBACK), Verdict.ALLOW, "operator"),
        (Policy(), add(kind=ActionKind.ROLLBACK, actor="agent"), Verdict.ASK, "operator"),
        (Policy(deny=("npm:x",)), add(kind=ActionKind.ROLLBACK), Verdict.DENY, "deny:npm:x"),
        (Policy(), add(kind=ActionKind.DENY), Verdict.ALLOW, "operator"),
        (Policy(), add(kind=ActionKind.DENY, actor="agent"), Verdict.ASK, "operator"),
    ],
)
def test_each_rule_decides_as_it_says(policy: Policy, action: Action, verdict: Verdict, rule: str) -> None:
    decision = decide(action, policy)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert decision.reason


@given(
    st.sampled_from(["manual", "ask", "guarded", "auto"]),
    st.dictionaries(st.sampled_from(["approved", "scripts", "network", "curated", "unsandboxed"]), st.booleans()),
    st.sampled_from(["cli", "agent", "autopilot"]),
)
def test_nothing_gets_past_the_deny_list(autonomy: str, facts: dict[str, bool], actor: str) -> None:
    policy = Policy(autonomy=autonomy, deny=("npm:bad*",))
    for kind in (ActionKind.ADD, ActionKind.ACQUIRE, ActionKind.START, ActionKind.RESTART, ActionKind.APPROVE):
        assert decide(add("npm:bad-one@2", kind=kind, actor=actor, **facts), policy).verdict is Verdict.DENY


def test_patterns() -> None:
    assert matches("npm:@scope/name@1.0", ["npm:@scope/name"])
    assert not matches("npm:@scope/name-more@1.0", ["npm:@scope/name"])
    assert matches("PyPI:Name==1", ["pypi:name"])
    assert not matches("npm:x", ["", "  "])
    assert tool_denied("shell__run_command", ["shell__*"])
    assert not tool_denied("shell__run_command", [])


@pytest.mark.parametrize("actor", ["cli", "embedded", "file"])
def test_a_change_that_widens_nothing_needs_no_leave(actor: str) -> None:
    action = Action(kind=ActionKind.CHANGE, subject="x", actor=actor, facts={"ref": "npm:x", "widens": False})
    assert decide(action, Policy(autonomy="manual")).verdict is Verdict.ALLOW


def test_a_change_that_widens_is_asked_about_like_an_admission() -> None:
    facts: dict[str, str | bool | float] = {"ref": "npm:x", "widens": True, "network": True}
    action = Action(kind=ActionKind.CHANGE, subject="x", actor="cli", facts=facts)
    agreed = Action(kind=ActionKind.CHANGE, subject="x", actor="cli", facts={**facts, "approved": True})
    assert decide(action, Policy(autonomy="ask")).verdict is Verdict.ASK
    assert decide(action, Policy(autonomy="guarded")).verdict is Verdict.ASK
    assert decide(agreed, Policy(autonomy="ask")).verdict is Verdict.ALLOW
    assert decide(agreed, Policy(autonomy="ask", allow_network=False)).rule == "allow_network"


def test_an_agent_changes_no_settings() -> None:
    action = Action(kind=ActionKind.CHANGE, subject="x", actor="agent", facts={"ref": "npm:x", "widens": False})
    assert decide(action, Policy(autonomy="auto")).verdict is Verdict.ASK
