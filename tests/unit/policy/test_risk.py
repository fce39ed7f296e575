"""Autonomy by source and capability, the risk of an admission, and what a yes through a client can allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.config import Policy
from vsm_mcp.model.action import Action, ActionKind, Verdict
from vsm_mcp.model.policy_settings import AUTONOMY, Autonomy
from vsm_mcp.policy import decide, least_of, risk_of
from vsm_mcp.policy.autonomy import autonomy_of

FACTS: dict[str, str | bool | float] = {
    "ref": "npm:@modelcontextprotocol/server-pdf@2.0",
    "sources": "catalogue index",
    "tags": "docs.pdf files.local",
    "curated": True,
}


def acquire(actor: str = "agent", /, **more: str | bool | float) -> Action:
    return act(ActionKind.ACQUIRE, actor, **more)


def act(kind: ActionKind, actor: str, /, **more: str | bool | float) -> Action:
    return Action(kind=kind, subject="x", actor=actor, facts={**FACTS, **more})


@pytest.mark.parametrize(
    ("table", "autonomy"),
    [
        ({}, "ask"),
        ({"npm:@modelcontextprotocol/*": "auto"}, "auto"),
        ({"NPM:@ModelContextProtocol/*": "auto"}, "auto"),
        ({"npm:other": "auto"}, "ask"),
        ({"source:catalogue": "guarded"}, "guarded"),
        ({"source:github": "guarded"}, "ask"),
        ({"tag:docs.pdf": "manual"}, "manual"),
        ({"tag:docs.*": "manual"}, "manual"),
        ({"tag:pdf": "manual"}, "manual"),
        ({"tag:files": "auto", "npm:*": "guarded"}, "guarded"),
        ({"tag:files": "manual", "npm:*": "auto", "source:*": "auto"}, "manual"),
    ],
)
def test_which_autonomy_counts(table: dict[str, Autonomy], autonomy: str) -> None:
    assert autonomy_of(acquire(), Policy(autonomy="ask", autonomy_for=table))[0] == autonomy


@given(st.dictionaries(st.sampled_from(["npm:*", "tag:pdf", "source:index", "npm:x"]), st.sampled_from(AUTONOMY)))
def test_the_most_restrictive_pattern_wins_whatever_the_order(table: dict[str, Autonomy]) -> None:
    found, pattern = autonomy_of(acquire(), Policy(autonomy="auto", autonomy_for=table))
    matching = [AUTONOMY.index(word) for key, word in table.items() if key != "npm:x"]
    assert AUTONOMY.index(found) == min(matching, default=AUTONOMY.index("auto"))
    assert bool(pattern) is bool(matching)


def test_the_table_decides_with_its_own_rule() -> None:
    policy = Policy(autonomy="ask", autonomy_for={"npm:@modelcontextprotocol/*": "auto"})
    decision = decide(acquire(), policy)
    assert (decision.verdict, decision.rule) == (Verdict.ALLOW, "autonomy_for:npm:@modelcontextprotocol/*:auto")
    assert decide(acquire(), Policy(autonomy="auto", autonomy_for={"tag:pdf": "manual"})).verdict is Verdict.DENY
    assert least_of(policy) == "auto"


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [
        ({}, 0.0, 0.0),
        ({"scripts": True}, 0.3, 1.0),
        ({"network": True}, 0.3, 1.0),
        ({"secrets": True}, 0.3, 1.0),
        ({"unsandboxed": True}, 0.3, 1.0),
        ({"age_days": 1.0, "downloads": 3.0, "confidence": 0.1}, 0.0, 0.0),
        ({"curated": False}, 0.1, 0.299),
        ({"curated": False, "age_days": 3.0}, 0.3, 0.5),
        ({"curated": False, "downloads": 12.0}, 0.3, 0.5),
        ({"curated": False, "confidence": 0.2}, 0.3, 0.5),
        ({"curated": False, "age_days": 300.0, "downloads": 1e6, "confidence": 0.9}, 0.1, 0.299),
    ],
)
def test_what_is_risky(more: dict[str, str | bool | float], least: float, most: float) -> None:
    risk = risk_of({**FACTS, **more})
    assert least <= risk.score <= most
    assert bool(risk.reasons) is (risk.score > 0)


@given(
    st.dictionaries(st.sampled_from(["scripts", "network", "secrets", "unsandboxed", "whole_network"]), st.booleans()),
    st.sampled_from(["scripts", "network", "secrets", "unsandboxed", "whole_network"]),
    st.booleans(),
)
def test_risk_is_a_share_and_grows_with_all_that_is_granted(facts: dict[str, bool], more: str, curated: bool) -> None:
    one, other = risk_of({**facts, "curated": curated}), risk_of({**facts, more: True, "curated": curated})
    assert 0.0 <= one.score <= other.score <= 1.0


def test_guarded_asks_about_other_sources_and_about_risk() -> None:
    plain = acquire(curated=False, sources="npm", age_days=300.0)
    assert decide(plain, Policy(autonomy="guarded")).verdict is Verdict.ASK
    wider = Policy(autonomy="guarded", guarded_sources=("catalogue", "npm"))
    assert decide(plain, wider).verdict is Verdict.ALLOW
    young = acquire(curated=False, sources="npm", age_days=2.0)
    decision = decide(young, wider)
    assert (decision.verdict, decision.rule) == (Verdict.ASK, "autonomy:guarded")
    assert "2 days old" in decision.reason
    assert (
        decide(young, Policy(autonomy="guarded", guarded_sources=("npm",), guarded_risk=0.9)).verdict is Verdict.ALLOW
    )
    assert decide(acquire(), Policy(autonomy="guarded", guarded_sources=())).verdict is Verdict.ASK


@pytest.mark.parametrize(
    ("policy", "more", "verdict"),
    [
        (Policy(), {}, Verdict.ALLOW),
        (Policy(ask_through_clients=False), {}, Verdict.ASK),
        (Policy(), {"scripts": True}, Verdict.ASK),
        (Policy(), {"unsandboxed": True}, Verdict.ASK),
        (Policy(), {"secrets": True}, Verdict.ASK),
        (Policy(), {"network": True}, Verdict.ASK),
        (Policy(), {"permissions": "browser"}, Verdict.ASK),
        (Policy(), {"curated": False, "age_days": 300.0}, Verdict.ALLOW),
        (Policy(), {"curated": False, "age_days": 3.0}, Verdict.ASK),
        (Policy(guarded_risk=0.0), {}, Verdict.ASK),
        (Policy(autonomy="manual"), {}, Verdict.DENY),
        (Policy(deny=("npm:*",)), {}, Verdict.DENY),
        (Policy(autonomy_for={"tag:pdf": "manual"}), {}, Verdict.DENY),
    ],
)
def test_what_a_yes_through_a_client_allows(
    policy: Policy, more: dict[str, str | bool | float], verdict: Verdict
) -> None:
    assert decide(acquire("person via local", approved=True, **more), policy).verdict is verdict


def test_a_yes_through_a_client_adds_approves_and_retires_nothing() -> None:
    for kind in (ActionKind.ADD, ActionKind.APPROVE, ActionKind.UPGRADE, ActionKind.RETIRE):
        assert decide(act(kind, "person via local", approved=True), Policy()).verdict is Verdict.ASK
    assert decide(acquire("person via local"), Policy()).verdict is Verdict.ASK  # nobody said yes
    assert decide(acquire("agent", approved=True), Policy()).verdict is Verdict.ASK


@pytest.mark.parametrize(
    ("autonomy", "actor", "verdict"),
    [
        ("manual", "autopilot", Verdict.DENY),
        ("ask", "autopilot", Verdict.ASK),
        ("guarded", "autopilot", Verdict.ALLOW),
        ("auto", "autopilot", Verdict.ALLOW),
        ("manual", "cli", Verdict.ALLOW),
        ("ask", "cli", Verdict.ALLOW),
    ],
)
def test_who_may_retire(autonomy: str, actor: str, verdict: Verdict) -> None:
    action = act(ActionKind.RETIRE, actor, approved=True)
    assert decide(action, Policy(autonomy=autonomy)).verdict is verdict
