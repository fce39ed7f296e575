"""The one door for everything that changes what runs: ask policy → write the journal → act → publish."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from vsm_mcp.config import Policy
from vsm_mcp.errors import ApprovalNeeded, PolicyDenied
from vsm_mcp.events import ActionDecided, Emit
from vsm_mcp.model.action import Action, Decision, Verdict
from vsm_mcp.policy import decide
from vsm_mcp.store import Store

T = TypeVar("T")


class Performer:
    """Performs actions under one policy."""

    def __init__(self, policy: Policy, store: Store, emit: Emit) -> None:
        self._policy = policy
        self._store = store
        self._emit = emit

    def govern(self, policy: Policy) -> None:
        """Have another policy decide from now on."""
        self._policy = policy

    async def perform(self, action: Action, act: Callable[[], Awaitable[T]], detail: str = "", evidence: str = "") -> T:
        """Do ``act`` if the policy allows ``action``.

        Raises :class:`PolicyDenied` or :class:`ApprovalNeeded`, and whatever ``act`` raises. The journal holds the
        decision before the act begins, and so does the record with the id ``evidence``, if one is given.
        """
        await self.clear(action, detail, evidence)
        return await act()

    def lets(self, action: Action) -> bool:
        """Return whether the policy lets an action happen by itself; nothing is written down, for nothing is done."""
        return decide(action, self._policy).verdict is Verdict.ALLOW

    async def refused(self, action: Action, rule: str, reason: str) -> None:
        """Write down that an action could not be, whatever the policy would have said."""
        decision = Decision(verdict=Verdict.DENY, rule=rule, reason=reason)
        await self._store.journal.append(action, decision, reason)

    async def noted(self, action: Action, rule: str, reason: str) -> None:
        """Write down what somebody decided that changes nothing of what runs, so that the policy is not asked."""
        await self._store.journal.append(action, Decision(verdict=Verdict.ALLOW, rule=rule, reason=reason), reason)

    async def clear(self, action: Action, detail: str = "", evidence: str = "") -> Decision:
        """Ask the policy and write its answer down; raise unless it allows. See :meth:`perform`."""
        decision = decide(action, self._policy)
        await self._store.journal.append(action, decision, detail)
        if evidence:
            await self._store.evidence.add(evidence, "policy", _decided(action, decision))
        self._emit(
            ActionDecided(
                action=action.kind.value,
                subject=action.subject,
                verdict=decision.verdict.value,
                rule=decision.rule,
                actor=action.actor,
            )
        )
        if decision.verdict is Verdict.DENY:
            raise PolicyDenied(
                f"{action.kind.value} {action.subject}: {decision.reason} (rule {decision.rule})",
                "vsm-mcp.toml, section [policy], holds the rules",
            )
        if decision.verdict is Verdict.ASK:
            raise ApprovalNeeded(
                f"{action.kind.value} {action.subject}: {decision.reason} (rule {decision.rule})",
                "agree with --yes, or on a terminal",
            )
        return decision


def _decided(action: Action, decision: Decision) -> dict[str, object]:
    """Return a decision as evidence: what was asked, by the facts it was decided by, and by which rule."""
    return {
        "action": action.kind.value,
        "subject": action.subject,
        "by": action.actor,
        "facts": action.facts,
        "rule": decision.rule,
        "decision": decision.verdict.value,
        "reason": decision.reason,
    }
