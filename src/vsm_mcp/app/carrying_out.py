"""Carries out what the autopilot plans, and what a person says to what it proposed; each with its record of why."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.app.acquiring import AUTOPILOT, Acquiring
from vsm_mcp.app.variety import Gaps
from vsm_mcp.autopilot.outcome import Outcome, Reason
from vsm_mcp.autopilot.plan import DAY, Proposed
from vsm_mcp.config import Config
from vsm_mcp.discovery.research.question import TOKENS
from vsm_mcp.discovery.screen import clean
from vsm_mcp.errors import ApprovalNeeded, PolicyDenied, VsmError
from vsm_mcp.events import (
    ActionFailed,
    ActionPlanned,
    ActionProposed,
    RetirementNoticed,
    RetirementWithdrawn,
    ServerRetired,
)
from vsm_mcp.install.files import tree_size
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.need import Best, Past, Proposal, Tenure
from vsm_mcp.model.ref import Ref
from vsm_mcp.policy import risk_of
from vsm_mcp.policy.autonomy import autonomy_of

if TYPE_CHECKING:
    from vsm_mcp.app.application import App

_REASON: Final = 300
_DENIED: Final = PolicyDenied.code
_ASKS: Final = ApprovalNeeded.code


def mark_of(config: Config) -> str:
    """Return what tells one policy from another."""
    return hashlib.sha256(msgspec.json.encode(config.policy, order="deterministic")).hexdigest()[:16]


class CarryingOut:
    """Acts on plans, one thing at a time. Whatever comes to nothing is remembered, so that the plan waits."""

    def __init__(self, app: App, acquiring: Acquiring, gaps: Gaps) -> None:
        self._app = app
        self._gaps = gaps
        self._acquiring = acquiring
        self._memory = app.store.memory
        self._deeds: dict[str, Callable[[Proposed, str], Awaitable[None]]] = {
            "acquire": self._acquire,
            "notice": self._notice,
            "withdraw": self._withdraw,
            "retire": self._retire,
            "replace": self._replace,
        }

    async def perform(self, proposed: Proposed) -> str:
        """Carry out one thing; return the id of its record. Raises :class:`VsmError` for what nobody expects."""
        evidence, subject = uuid.uuid4().hex[:12], clean(proposed.need or proposed.server, _REASON)
        await self._record(evidence, "planned", {**msgspec.to_builtins(proposed), "policy": mark_of(self._app.config)})
        self._app.bus.emit(
            ActionPlanned(kind=proposed.kind, subject=subject, reason=proposed.reason, evidence=evidence)
        )
        await self._deeds[proposed.kind](proposed, evidence)
        return evidence

    # --- needs -------------------------------------------------------------------------------------------------------

    async def _acquire(self, proposed: Proposed, evidence: str) -> None:
        outcome = await self._tried(proposed.need, evidence)
        key, code = proposed.key, outcome.reason.code if outcome.reason else ""
        past = (await self._memory.needs()).get(key, Past(need=proposed.need))
        message = outcome.reason.message if outcome.reason else outcome.outcome
        best = Best(at=time.time(), ref=outcome.ref, reason=clean(message, _REASON)) if outcome.reason else past.best
        past = msgspec.structs.replace(past, best=best, reason=clean(message, _REASON))
        if outcome.outcome == "served":
            await self.served(key, past, outcome.server)
        elif code == _ASKS and outcome.asked is not None:
            await self._memory.put_need(key, msgspec.structs.replace(past, failures=0))
            await self._propose("acquire", proposed, outcome)
        else:
            await self._in_vain(key, past, code)
            self._failed(proposed, message, evidence)

    async def in_vain(self, proposal: Proposal, outcome: Outcome) -> None:
        """Remember that what a person agreed to came to nothing."""
        if proposal.kind == "acquire":
            past = (await self._memory.needs()).get(proposal.key, Past(need=proposal.need))
            reason = clean(outcome.reason.message if outcome.reason else outcome.outcome, _REASON)
            await self._in_vain(proposal.key, msgspec.structs.replace(past, reason=reason), "")

    async def _in_vain(self, key: str, past: Past, code: str) -> None:
        policy = mark_of(self._app.config) if code == _DENIED else ""
        failures = past.failures + 1
        failed = msgspec.structs.replace(past, failures=failures, failed_at=time.time(), policy=policy, server="")
        await self._memory.put_need(key, failed)

    async def served(self, key: str, past: Past, server: str) -> None:
        """Remember that a server came for a need."""
        fresh = {"failures": 0, "failed_at": 0.0, "retired_at": 0.0, "policy": "", "reason": ""}
        now = time.time()
        await self._memory.put_need(key, msgspec.structs.replace(past, server=server, served_at=now, **fresh))

    async def _tried(self, need: str, evidence: str, without: Ref | None = None) -> Outcome:
        """Take a need through the pipeline and count what that took; every expected end is an outcome."""
        before = await self._tokens()
        try:
            outcome = await self._acquiring.for_autopilot(need, without)
        except VsmError as error:
            reason = Reason(code=error.code, message=error.message, hint=error.hint)
            outcome = Outcome(outcome="failed", ref="", evidence="", reason=reason)
            if error.code == _DENIED:
                outcome = msgspec.structs.replace(outcome, outcome="rejected")
        took = {"tokens": max(0.0, await self._tokens() - before), **await self._took(outcome)}
        await self._memory.spend(took)
        shown = msgspec.structs.replace(outcome, admitted=None, asked=None)
        await self._record(evidence, "outcome", {**msgspec.to_builtins(shown), "took": took})
        if outcome.evidence and outcome.evidence != evidence:
            await self._record(outcome.evidence, "planned", {"by": AUTOPILOT, "need": need, "evidence": evidence})
        return outcome

    async def _took(self, outcome: Outcome) -> dict[str, float]:
        if outcome.admitted is None:  # nothing is left of it, or it was served already
            return {}
        size = await asyncio.to_thread(tree_size, Path(outcome.admitted.installation.path))
        return {"installs": 1.0, "disk": float(size), "memory": float(self._app.config.sandbox.memory_bytes)}

    async def _tokens(self) -> float:
        kept = await self._app.store.cache.get(TOKENS)
        try:
            return 0.0 if kept is None else msgspec.json.decode(kept[0], type=float)
        except msgspec.DecodeError:
            return 0.0

    # --- servers -----------------------------------------------------------------------------------------------------

    async def _notice(self, proposed: Proposed, _evidence: str) -> None:
        due = time.time() + self._app.config.autopilot.notice_days * DAY
        await self._remember(proposed.server, noticed_at=time.time())
        self._app.bus.emit(RetirementNoticed(server=proposed.server, reason=proposed.reason, due=due))

    async def _withdraw(self, proposed: Proposed, _evidence: str) -> None:
        await self._remember(proposed.server, noticed_at=0.0)
        for proposal in (await self._memory.proposals()).values():
            if (proposal.kind, proposal.key) == ("retire", proposed.server):
                await self._memory.drop("proposal", proposal.id)
        self._app.bus.emit(RetirementWithdrawn(server=proposed.server, reason=proposed.reason))

    async def _retire(self, proposed: Proposed, evidence: str) -> None:
        try:
            await self.retire(proposed.server, proposed.reason, AUTOPILOT, evidence=evidence)
        except ApprovalNeeded:
            await self._propose("retire", proposed, None)
        except PolicyDenied as error:
            await self._remember(proposed.server, policy=mark_of(self._app.config))
            self._failed(proposed, error.message, evidence)

    async def retire(self, name: str, reason: str, actor: str, *, evidence: str = "") -> str:
        """Stop a server, or remove it, where a person or auto autonomy says so; return which.

        Raises :class:`UnknownServer`, :class:`PolicyDenied` and :class:`ApprovalNeeded`.
        """
        app, server = self._app, self._app.fleet.get(name)
        by_person = actor != AUTOPILOT
        facts: dict[str, str | bool | float] = {"ref": str(server.ref), "tags": " ".join(server.tags)}
        action = Action(kind=ActionKind.RETIRE, subject=name, actor=actor, facts={**facts, "approved": by_person})
        removes = by_person or autonomy_of(action, app.config.policy)[0] == "auto"

        async def act() -> None:
            if removes:
                await app.take_out(name)
            else:
                await app.runtime.stop(name, reason)
                await self._remember(name, rested_at=time.time(), noticed_at=0.0)

        await app.performer.perform(action, act, f"{reason} ({evidence})" if evidence else reason)
        await self._rest_needs(name)
        how = "removed" if removes else "stopped"
        app.bus.emit(ServerRetired(server=name, how=how, reason=reason))
        return how

    async def _rest_needs(self, name: str) -> None:
        """Let the needs that a server came for rest until there is new demand."""
        found, _ = await self._gaps.variety()
        counts = {gap.key: gap.demanded.count for gap in found.needs}
        for key, past in (await self._memory.needs()).items():
            if past.server == name:
                rested = msgspec.structs.replace(past, retired_at=time.time(), seen_then=counts.get(key, 0), server="")
                await self._memory.put_need(key, rested)

    async def _replace(self, proposed: Proposed, evidence: str) -> None:
        name, memory = proposed.server, self._memory
        tenure = (await memory.servers()).get(name, Tenure())
        await self._remember(name, replacing_at=time.time(), replacements=tenure.replacements + 1)
        outcome = await self._tried(proposed.need, evidence, self._app.fleet.get(name).ref)
        code = outcome.reason.code if outcome.reason else ""
        if outcome.outcome == "served":
            await self.replaced(name, outcome.server, AUTOPILOT, proposed.reason, evidence)
        elif code == _ASKS and outcome.asked is not None:
            await self._propose("replace", proposed, outcome)
        else:
            if code == _DENIED:
                await self._remember(name, policy=mark_of(self._app.config))
            self._failed(proposed, outcome.reason.message if outcome.reason else outcome.outcome, evidence)

    async def replaced(self, name: str, by: str, actor: str, reason: str, evidence: str = "") -> None:
        """Take out a server that kept failing, now that another one does what it did."""
        for key, past in (await self._memory.needs()).items():
            if past.server == name:
                await self.served(key, past, by)
        try:
            await self.retire(name, f"{reason}; {by} does what it did", actor, evidence=evidence)
        except (ApprovalNeeded, PolicyDenied):  # it stays beside the other; the journal says why
            await self._remember(name, policy=mark_of(self._app.config))

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _propose(self, kind: str, proposed: Proposed, outcome: Outcome | None) -> None:
        risks: tuple[str, ...] = ()
        if outcome is not None and outcome.asked is not None:
            risks = risk_of(outcome.asked.facts).reasons
        proposal = Proposal(
            id=uuid.uuid4().hex[:12],
            kind=kind,
            key=proposed.key,
            need=proposed.need,
            server=proposed.server,
            ref=outcome.ref if outcome is not None else "",
            reason=proposed.reason,
            risks=risks,
            at=time.time(),
        )
        await self._memory.put_proposal(proposal)
        await self._record(proposal.id, "proposed", msgspec.to_builtins(proposal))
        subject = clean(proposed.need or proposed.server, _REASON)
        self._app.bus.emit(
            ActionProposed(id=proposal.id, kind=kind, subject=subject, ref=proposal.ref, reason=proposed.reason)
        )

    async def _remember(self, name: str, **fields: Any) -> None:
        tenure = (await self._memory.servers()).get(name, Tenure())
        await self._memory.put_server(name, msgspec.structs.replace(tenure, **fields))

    async def _record(self, evidence: str, kind: str, body: Any) -> None:
        await self._app.store.evidence.add(evidence, kind, body)

    def _failed(self, proposed: Proposed, reason: str, evidence: str) -> None:
        subject = clean(proposed.need or proposed.server, _REASON)
        why = clean(reason, _REASON)
        self._app.bus.emit(ActionFailed(kind=proposed.kind, subject=subject, reason=why, evidence=evidence))
