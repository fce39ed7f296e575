"""activate: the one commit point, the write of the server with its offer and pins in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.admission.proving import Proved
from vsm_mcp.autopilot.outcome import Outcome, Reason
from vsm_mcp.autopilot.tidying import tidied
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.errors import VettingRejected
from vsm_mcp.events import ServerAdded
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.finding import Judgement
from vsm_mcp.model.server import Server
from vsm_mcp.routing.names import exposed
from vsm_mcp.vetting.pins import pins_of

_REASONS: Final = 5


async def activated(passage: Passage, proof: Proved) -> Outcome:
    """Take what passed into the catalogue, held back where a person must look at it first."""
    parts, quarantined = passage.parts, _held_back(passage, proof)
    report, server = proof.report, proof.server
    found = {"era": report.era, "transport": report.transport, "quarantined": quarantined}
    server = await committed(passage, msgspec.structs.replace(server, **found), report.offer, proof.settings.secrets)
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


async def committed(
    passage: Passage, server: Server, offer: Offer, secrets: Mapping[str, str], *, keeps: bool = True
) -> Server:
    """Take the step: write the server with what it offers and its pins; keep the one before it for a way back.

    What is held back was never in service: nobody goes back to that. Without ``keeps`` it is the same version once
    more: the way back stays the one that there was.
    """
    store, installations, name = passage.parts.store, passage.parts.installations, server.name
    now = [other for other in await store.servers.all() if other.name == name]
    before = await store.previous.of(name)
    leaving = tuple(each.acquisition for each in (*now, before) if each is not None)
    passage.plan = msgspec.structs.replace(passage.plan, superseded=leaving)
    async with passage.step("activate"):
        server = msgspec.structs.replace(
            server,
            observed_stateful=any(old.observed_stateful for old in now),
            keeps_home=server.keeps_home or any(old.keeps_home for old in now),
        )
        store.secrets.put(passage.id, secrets)
        await installations.activate(name, passage.plan.version)
        if not keeps:
            await installations.restore(name, passage.plan.version, passage.plan.earlier)
        succeeds = keeps and any(not old.quarantined for old in now)
        await store.servers.put(server, offer, pins_of(offer), succeeds=succeeds)
        await outdated(passage)
        await tidied(store, installations, passage.plan)
    await passage.parts.collect(name)
    return server


async def outdated(passage: Passage) -> None:
    """Take back what else waits to become a version of the same server."""
    parts = passage.parts
    for saga in await parts.store.sagas.ready():
        if saga.plan.server == passage.plan.server and saga.id != passage.id:
            await Undo(parts.store, parts.installations, parts.emit).undo(saga.id, saga.plan)
