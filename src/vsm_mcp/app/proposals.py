"""``approve`` and ``deny`` of what the autopilot proposed; any other id is passed on to who answers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from vsm_mcp.app import views
from vsm_mcp.app.acquiring import Acquiring
from vsm_mcp.app.approvals import Approvals
from vsm_mcp.app.carrying_out import CarryingOut
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.need import Past, Proposal, Tenure

if TYPE_CHECKING:
    from vsm_mcp.app.application import App


class Proposals:
    """What waits for a person because the autopilot may not do it by itself."""

    def __init__(self, app: App, approvals: Approvals, acquiring: Acquiring, carrying_out: CarryingOut) -> None:
        self._app = app
        self._approvals = approvals
        self._acquiring = acquiring
        self._carrying_out = carrying_out

    async def approve(self, name: str, **more: Any) -> dict[str, Any]:
        """Do what waits under an id, in the name of a person.

        The document is that of ``acquire``, with ``proposal``; of a retirement, what became of the server. Raises as
        :meth:`~vsm_mcp.app.approvals.Approvals.approve`.
        """
        proposal = (await self._app.store.memory.proposals()).get(name)
        if proposal is None:
            return await self._approvals.approve(name, **more)
        await self._note(ActionKind.APPROVE, proposal, "approved")
        if proposal.kind == "retire":
            how = await self._carrying_out.retire(proposal.server, proposal.reason, self._app.actor)
            await self._app.store.memory.drop("proposal", proposal.id)
            return {"proposal": proposal.id, "name": proposal.server, "retired": how}
        return await self._acquired(proposal)

    async def deny(self, name: str, **more: Any) -> dict[str, Any]:
        """Say no to what waits under an id: a need is not closed unasked any more, a server stays.

        Raises as :meth:`~vsm_mcp.app.approvals.Approvals.deny`.
        """
        memory, actor = self._app.store.memory, self._app.actor
        proposal = (await memory.proposals()).get(name)
        if proposal is None:
            return await self._approvals.deny(name, **more)
        await self._note(ActionKind.DENY, proposal, "denied")
        if proposal.kind == "acquire":
            await self._acquiring.deny(proposal.need, actor)
        else:
            tenure = (await memory.servers()).get(proposal.server, Tenure())
            await memory.put_server(proposal.server, msgspec.structs.replace(tenure, kept_by=actor, noticed_at=0.0))
        await memory.drop("proposal", proposal.id)
        subject = proposal.need or proposal.server
        return {"name": subject, "id": proposal.id, "denied": "proposal", "kind": proposal.kind, "items": []}

    async def _acquired(self, proposal: Proposal) -> dict[str, Any]:
        memory, actor = self._app.store.memory, self._app.actor
        outcome = await self._acquiring.by_ref(proposal.need, proposal.ref, actor)
        await memory.drop("proposal", proposal.id)
        if outcome.outcome == "served" and proposal.kind == "replace":
            await self._carrying_out.replaced(proposal.server, outcome.server, actor, proposal.reason)
        elif outcome.outcome == "served":
            past = (await memory.needs()).get(proposal.key, Past(need=proposal.need))
            await self._carrying_out.served(proposal.key, past, outcome.server)
        else:
            await self._carrying_out.in_vain(proposal, outcome)
        return {**views.outcome(outcome), "proposal": proposal.id}

    async def _note(self, kind: ActionKind, proposal: Proposal, word: str) -> None:
        facts: dict[str, str | bool | float] = {"ref": proposal.ref, "approved": True}
        action = Action(kind=kind, subject=proposal.need or proposal.server, actor=self._app.actor, facts=facts)
        await self._app.performer.noted(action, f"proposal:{word}", f"{proposal.kind} {proposal.ref} ({proposal.id})")
        body = {"by": self._app.actor, "said": word}
        await self._app.store.evidence.add(proposal.id, "decided", body)
