"""The rules, in the order in which they are asked; the first that answers decides.

Deny list, allow list, forbidden grants, vetting, pins, what needs no leave; then the autonomy that counts for what the
action is about (``policy.autonomy``): manual denies acquisitions, a person's yes counts, ask asks, and guarded asks
about what is granted more than nothing, comes from another source, or is too risky (``policy.risk``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vsm_mcp.model.action import Action, ActionKind, Decision, Verdict
from vsm_mcp.model.policy_settings import Policy
from vsm_mcp.policy.autonomy import autonomy_of
from vsm_mcp.policy.patterns import matches
from vsm_mcp.policy.risk import granted, risk_of

Rule = Callable[[Action, Policy], Decision | None]
_ADMISSIONS: Final = (ActionKind.ACQUIRE, ActionKind.ADD, ActionKind.UPGRADE)
_SUPERVISION: Final = (
    ActionKind.START, ActionKind.RESTART, ActionKind.REINSTALL, ActionKind.REPLACE, ActionKind.ROLLOUT,
)  # fmt: skip
"""What keeps running what was admitted: the same bytes, or another admitted server in its place."""
_RUNS: Final = (*_SUPERVISION, ActionKind.APPROVE, ActionKind.ROLLBACK)
_PEOPLE: Final = ("cli", "embedded", "file")
"""Who acts as a person: ``file`` is what its owner wrote into a file of the home."""
THROUGH_CLIENT: Final = "person via "
"""How the name of an actor begins who was asked through an MCP client: nobody but the client says it was a person."""


def decide(action: Action, policy: Policy) -> Decision:
    """Return what the policy says to an action. Pure; every path ends in a rule with a name."""
    for rule in _RULES:
        decision = rule(action, policy)
        if decision is not None:
            return decision
    return _by_autonomy(action, policy)


def _deny_list(action: Action, policy: Policy) -> Decision | None:
    if action.kind not in (*_ADMISSIONS, ActionKind.TRY, *_RUNS):
        return None
    hit = matches(str(action.facts.get("ref", "")), policy.deny)
    return _deny(f"deny:{hit}", f"the deny list holds {hit!r}") if hit else None


def _allow_list(action: Action, policy: Policy) -> Decision | None:
    ref = str(action.facts.get("ref", ""))
    if action.kind not in (*_ADMISSIONS, ActionKind.TRY) or not policy.allow or not ref or matches(ref, policy.allow):
        return None
    return _deny("allow", f"{ref} is not on the allow list")


def _grants(action: Action, policy: Policy) -> Decision | None:
    wanted = (
        ("scripts", policy.allow_scripts, "install scripts are forbidden"),
        ("network", policy.allow_network, "network access is forbidden"),
        ("unsandboxed", policy.allow_unsandboxed, "running without a sandbox is forbidden"),
    )
    for fact, allowed, reason in wanted:
        if action.facts.get(fact) is True and not allowed:
            return _deny(f"allow_{fact}", f"{reason} by the policy")
    return None


def _judgement(action: Action, _policy: Policy) -> Decision | None:
    if action.facts.get("judgement") == "reject":
        return _deny("vetting", "vetting rejected it")
    return None


def _pins(action: Action, _policy: Policy) -> Decision | None:
    setting = action.facts.get("pins_denied")
    if not setting:
        return None
    return _deny(str(setting), "what a server changed after it was approved stays frozen by the policy")


def _stopping(action: Action, _policy: Policy) -> Decision | None:
    """Taking something out of service, starting what was admitted, and giving out keys needs no further leave.

    Nor does a change of settings that lets a server do nothing more than before.
    """
    needs_leave = (*_ADMISSIONS, ActionKind.APPROVE, ActionKind.RETIRE)
    if action.kind in needs_leave or action.facts.get("widens") is True:
        return None
    if action.actor in _PEOPLE or action.kind in _SUPERVISION:
        return _allow("operator", "a person, or the supervision of what was admitted")
    return _ask("operator", f"{action.actor} may not {action.kind.value} a server by itself")


def _person(action: Action, policy: Policy) -> Decision | None:
    if action.facts.get("approved") is not True:
        return None
    if action.actor in _PEOPLE:
        return _allow("approved", "a person agreed")
    if action.actor.startswith(THROUGH_CLIENT) and not beyond_clients(action, policy):
        return _allow("approved_through_client", "whoever is at the client agreed")
    return None


def beyond_clients(action: Action, policy: Policy) -> str:
    """Return why a yes through an MCP client is not enough for an admission; empty where it is.

    A client that means ill can answer for the person that it was to ask. So it may say yes to what guarded autonomy
    could let happen without anybody (nothing granted, risk below ``guarded_risk``), to nothing more.
    """
    if not policy.ask_through_clients:
        return "the policy asks nobody through clients ([policy] ask_through_clients)"
    if action.kind is not ActionKind.ACQUIRE:
        return "only the acquisition of what an agent needs is asked about through clients"
    if reason := granted(action.facts) or _unlisted(action, policy):
        return reason
    return _too_risky(action, policy)


_RULES: Final[tuple[Rule, ...]] = (_deny_list, _allow_list, _grants, _judgement, _pins, _stopping)


def _by_autonomy(action: Action, policy: Policy) -> Decision:
    autonomy, pattern = autonomy_of(action, policy)
    rule = f"autonomy_for:{pattern}:{autonomy}" if pattern else f"autonomy:{autonomy}"
    if autonomy == "manual" and action.kind is ActionKind.ACQUIRE:
        return _deny(rule, "in manual autonomy a person names each server: vsm-mcp add REF")
    agreed = _person(action, policy)
    if agreed is not None:
        return agreed
    if action.kind is ActionKind.RETIRE:
        return _retirement(rule, autonomy)
    if action.kind is ActionKind.APPROVE or autonomy in ("manual", "ask"):
        return _ask(rule, "a person must agree first")
    if unlisted := _unlisted(action, policy):
        return _ask("permissions_unasked", f"a person must agree first: it gets the permission profile {unlisted}")
    if autonomy == "guarded" and (risk := _risk(action, policy)):
        return _ask(rule, f"a person must agree first: {risk}")
    return _allow(rule, "within what the policy lets happen by itself")


def _retirement(rule: str, autonomy: str) -> Decision:
    """What nobody uses is stopped with guarded autonomy, which a call undoes, and removed with auto."""
    if autonomy == "manual":
        return _deny(rule, "in manual autonomy a person takes servers out: vsm-mcp remove NAME")
    if autonomy == "ask":
        return _ask(rule, "a person must agree first")
    return _allow(rule, "nobody uses it")


def _unlisted(action: Action, policy: Policy) -> str:
    """Return the permission profile that needs a person's leave, also where else nobody is asked."""
    name = str(action.facts.get("permissions", ""))
    return "" if matches(name, policy.permissions_unasked) else name


def _risk(action: Action, policy: Policy) -> str:
    """Return why guarded autonomy does not cover an admission; empty when it does."""
    if reason := granted(action.facts):
        return reason
    if not _from_guarded_source(action, policy):
        known = (
            "the built-in catalogue" if policy.guarded_sources == ("catalogue",) else "any of [policy] guarded_sources"
        )
        return f"it is not in {known}"
    return _too_risky(action, policy)


def _too_risky(action: Action, policy: Policy) -> str:
    risk = risk_of(action.facts)
    if risk.score < policy.guarded_risk:
        return ""
    return f"its risk is {risk.score:.2f}: {'; '.join(risk.reasons) or 'nothing speaks against it'}"


def _from_guarded_source(action: Action, policy: Policy) -> bool:
    sources = set(str(action.facts.get("sources", "")).split())
    if action.facts.get("curated") is True:
        sources.add("catalogue")
    return not sources.isdisjoint(policy.guarded_sources)


def _allow(rule: str, reason: str) -> Decision:
    return Decision(verdict=Verdict.ALLOW, rule=rule, reason=reason)


def _ask(rule: str, reason: str) -> Decision:
    return Decision(verdict=Verdict.ASK, rule=rule, reason=reason)


def _deny(rule: str, reason: str) -> Decision:
    return Decision(verdict=Verdict.DENY, rule=rule, reason=reason)
