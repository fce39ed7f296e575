"""activate: the one commit point, the write of the server with its offer and pins in one transaction."""

from __future__ import annotations

from typing import Final

import msgspec

from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.admission.proving import Proved
from vsm_mcp.autopilot.outcome import Outcome, Reason
from vsm_mcp.errors import VettingRejected
from vsm_mcp.events import ServerAdded
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.finding import Judgement
from vsm_mcp.routing.names import exposed
from vsm_mcp.vetting.pins import pins_of

_REASONS: Final = 5


async def activated(passage: Passage, proof: Proved) -> Outcome:
    """Take what passed into the catalogue, held back where a person must look at it first."""
    parts, quarantined = passage.parts, _held_back(passage, proof)
    report, server = proof.report, proof.server
    async with passage.step("activate"):
        before = [other for other in await parts.store.servers.all() if other.name == server.name]
        seen = any(old.observed_stateful for old in before)
        found = {"era": report.era, "transport": report.transport, "observed_stateful": seen}
        server = msgspec.structs.replace(server, quarantined=quarantined, **found)
        parts.store.secrets.put(passage.id, proof.settings.secrets)
        await parts.installations.activate(server.name, passage.plan.version)
        await parts.store.servers.put(server, report.offer, pins_of(report.offer))
        for old in before:
            parts.store.secrets.remove(old.acquisition)
        await _tidied(passage)
    parts.emit(ServerAdded(server=server.name, ref=str(server.ref)))
    verdict, reason = proof.verdict, None
    if quarantined:
        hint = f"look at vsm-mcp evidence {passage.id}, then vsm-mcp approve {server.name}"
        reason = Reason(code="quarantined", message="; ".join(verdict.reasons[:_REASONS]), hint=hint)
    return Outcome(
        outcome="quarantined" if quarantined else "served",
        ref=str(server.ref),
        evidence=passage.id,
        server=server.name,
        version=server.version,
        tier=report.tier,
        tools=tuple(exposed(server.name, item.name) for item in report.offer.of(ItemKind.TOOL)),
        reason=reason,
        warnings=(*proof.notes, *(() if quarantined else verdict.reasons[:_REASONS])),
        plan=passage.shown,
        admitted=server,
    )


def _held_back(passage: Passage, proof: Proved) -> bool:
    """Whether the server waits for a person.

    Who named it and said yes has agreed to findings that want a look; a need in words agrees to none, so its
    next candidate is tried instead.
    """
    request, verdict = passage.request, proof.verdict
    if verdict.judgement is not Judgement.QUARANTINE:
        return False
    if request.need:
        hint = f"look at vsm-mcp evidence {passage.id}; if that is fine: vsm-mcp add {request.ref} --yes"
        raise VettingRejected(f"a person must look at it first: {verdict.reasons[0]}", hint)
    return not request.approved or bool(request.origin)


async def _tidied(passage: Passage) -> None:
    """Remove what only the versions before the previous one still held."""
    plan, installations = passage.plan, passage.parts.installations
    for version in installations.versions(plan.server):
        if version not in (plan.version, plan.previous):
            await installations.discard(plan.server, version)
