"""The rules, in the order in which they are asked; the first that answers decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vsm_mcp.config import Policy
from vsm_mcp.model.action import Action, ActionKind, Decision, Verdict
from vsm_mcp.policy.patterns import matches

Rule = Callable[[Action, Policy], Decision | None]
_ADMISSIONS: Final = (ActionKind.ACQUIRE, ActionKind.ADD, ActionKind.UPGRADE)
_SUPERVISION: Final = (ActionKind.START, ActionKind.RESTART, ActionKind.REINSTALL, ActionKind.REPLACE)
"""What keeps running what was admitted: the same bytes, or another admitted server in its place."""
_RUNS: Final = (*_SUPERVISION, ActionKind.APPROVE, ActionKind.ROLLBACK)
_PEOPLE: Final = ("cli", "embedded", "file")
"""Who acts as a person: ``file`` is what its owner wrote into a file of the home."""


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
    if action.kind in _ADMISSIONS or action.kind is ActionKind.APPROVE or action.facts.get("widens") is True:
        return None
    if action.actor in _PEOPLE or action.kind in _SUPERVISION:
        return _allow("operator", "a person, or the supervision of what was admitted")
    return _ask("operator", f"{action.actor} may not {action.kind.value} a server by itself")


def _person(action: Action, _policy: Policy) -> Decision | None:
    if action.facts.get("approved") is True and action.actor in _PEOPLE:
        return _allow("approved", "a person agreed")
    return None


_RULES: Final[tuple[Rule, ...]] = (_deny_list, _allow_list, _grants, _judgement, _pins, _stopping)


def _by_autonomy(action: Action, policy: Policy) -> Decision:
    if policy.autonomy == "manual" and action.kind is ActionKind.ACQUIRE:
        return _deny("autonomy:manual", "in manual autonomy a person names each server: vsm-mcp add REF")
    agreed = _person(action, policy)
    if agreed is not None:
        return agreed
    if action.kind is ActionKind.APPROVE or policy.autonomy in ("manual", "ask"):
        return _ask(f"autonomy:{policy.autonomy}", "a person must agree first")
    if unlisted := _unlisted(action, policy):
        return _ask("permissions_unasked", f"a person must agree first: it gets the permission profile {unlisted}")
    if policy.autonomy == "guarded" and (risk := _risk(action)):
        return _ask("autonomy:guarded", f"a person must agree first: {risk}")
    return _allow(f"autonomy:{policy.autonomy}", "within what the policy lets happen by itself")


def _unlisted(action: Action, policy: Policy) -> str:
    """Return the permission profile that needs a person's leave, also where else nobody is asked."""
    name = str(action.facts.get("permissions", ""))
    return "" if matches(name, policy.permissions_unasked) else name


def _risk(action: Action) -> str:
    """Return why guarded autonomy does not cover an admission; empty when it does."""
    for fact, reason in (
        ("scripts", "it runs install scripts"),
        ("whole_network", "it reaches all that this machine reaches"),
        ("network", "it reaches the network"),
        ("unsandboxed", "it runs without a sandbox"),
        ("secrets", "it is given secrets"),
    ):
        if action.facts.get(fact) is True:
            return reason
    if action.facts.get("curated") is not True:
        return "it is not in the built-in catalogue"
    return ""


def _allow(rule: str, reason: str) -> Decision:
    return Decision(verdict=Verdict.ALLOW, rule=rule, reason=reason)


def _ask(rule: str, reason: str) -> Decision:
    return Decision(verdict=Verdict.ASK, rule=rule, reason=reason)


def _deny(rule: str, reason: str) -> Decision:
    return Decision(verdict=Verdict.DENY, rule=rule, reason=reason)
