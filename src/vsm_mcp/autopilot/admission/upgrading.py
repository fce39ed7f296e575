"""An upgrade: a newer version is made ready beside the one in service, compared with it, and waits if it must.

What waits is a saga like any other: its files lie there, and its proposal is in the store with everything that going on
needs. Nobody goes on with it but :func:`agreed`; :class:`~vsm_mcp.autopilot.undo.Undo` takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.autopilot.admission.activating import committed, outdated
from vsm_mcp.autopilot.admission.installing import resolved
from vsm_mcp.autopilot.admission.order import Order, carried, expected, ordered_again, recorded
from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.admission.proving import Proved, proved
from vsm_mcp.autopilot.asked import facts_of
from vsm_mcp.autopilot.difference import Difference, Side, difference, findings_of
from vsm_mcp.autopilot.outcome import Outcome, Reason, Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.errors import ApprovalNeeded
from vsm_mcp.events import ServerUpgraded
from vsm_mcp.install.installer import Resolved
from vsm_mcp.install.versions import newer
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.counted import counted
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.finding import Judgement
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.server import Server
from vsm_mcp.routing.names import exposed
from vsm_mcp.runtime.sandbox_plan import plan_of_server
from vsm_mcp.store.sagas import Saga

CURRENT: Final = "current"
WAITING: Final = "waiting"
ROLLING: Final = "rolling"
UNVERSIONED: Final = (RefKind.REMOTE, RefKind.CMD)
_DATED: Final = (RefKind.NPM, RefKind.PYPI)
_REASONS: Final = 5


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What waits: the server as it would be, what it offers, what differs, and why a person is asked."""

    server: Server
    offer: Offer
    tier: str
    difference: Difference
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Upgraded(msgspec.Struct, frozen=True, kw_only=True):
    """How an upgrade ended; without a difference where it did not come to a comparison."""

    outcome: Outcome
    difference: Difference | None = None


async def upgrade(parts: Parts, request: Request, server: Server, to: str = "", *, gradual: bool = False) -> Upgraded:
    """Make the newest version ready that the policy takes, or the version ``to``, and put it into service.

    ``request`` names the server and holds its settings and secrets as they are. The outcome is ``served``, ``current``
    (nothing newer), ``waiting`` (for a person), ``rejected`` or ``failed``; in all but the first nothing has changed.
    ``gradual``, it is ``rolling`` instead of ``served``: ready for its rollout, at the end of which it is agreed to.
    """
    passage = Passage(parts, request)
    compared: list[Difference] = []

    async def way() -> Outcome:
        order = ordered_again(server, request.settings)
        passage.shown = expected(passage, order)
        asked = await _asked(passage, order)
        found = await resolved(passage, order)
        if why := _current(found, server, to, parts.config.install.min_release_age_days):
            return _nothing(passage, server, why)
        proof = await proved(passage, order, found)
        compared.append(await _compared(passage, server, proof))
        await passage.record("difference", compared[0])
        reasons = _why_asked(asked, proof, approved=request.approved)
        proposal = _proposal(proof, compared[0], reasons)
        if reasons:
            return await _waits(passage, proposal)
        if gradual:
            return await _rolls(passage, proposal)
        return await _done(passage, proposal, request.settings.secrets)

    outcome = await passage.take(way)
    return Upgraded(outcome=outcome, difference=compared[0] if compared else None)


async def agreed(parts: Parts, saga: Saga, request: Request, server: Server, *, gradual: bool = False) -> Upgraded:
    """Put what waited into service, with the settings and secrets (of ``request``) that the server has by now.

    ``gradual``, it waits on, for the end of its rollout.
    """
    proposal = msgspec.json.decode(saga.proposal, type=Proposal)
    passage = Passage(parts, request, resumed=saga.id)
    installations = parts.installations
    current, earlier = installations.current(server.name), installations.previous(server.name)
    passage.plan = msgspec.structs.replace(saga.plan, previous=current, earlier=earlier)
    kept = {name: getattr(server, name) for name in ("enabled", "tags", "origin")}
    kept |= carried(server, proposal.server.way)
    proposal = msgspec.structs.replace(proposal, server=msgspec.structs.replace(proposal.server, **kept))

    async def way() -> Outcome:
        if gradual:
            return await _rolls(passage, proposal)
        return await _done(passage, proposal, request.settings.secrets)

    outcome = await passage.take(way)
    return Upgraded(outcome=outcome, difference=proposal.difference)


async def _asked(passage: Passage, order: Order) -> str:
    """Ask the policy; return why a person has to agree, empty where nobody has to. Raises :class:`PolicyDenied`."""
    request = passage.request
    facts = facts_of(request, order.settings, passage.parts.config)
    action = Action(kind=ActionKind.UPGRADE, subject=request.name, actor=request.actor, facts=facts)
    try:
        await passage.parts.performer.clear(action, str(request.ref), passage.id)
    except ApprovalNeeded as error:
        return error.message
    finally:
        await recorded(passage, order)
    return ""


def _current(found: Resolved, server: Server, to: str, cool_down: float) -> str:
    """Return why there is nothing to do; empty where there is."""
    kind, version = server.ref.kind, found.version
    if to:
        return f"{server.name} is at {version} already" if version == server.version else ""
    if newer(kind, version, server.version):
        return ""
    cool_down = cool_down if kind in _DATED else 0
    waits = f" (what is younger than {counted(cool_down, 'days')} waits)" if cool_down else ""
    return f"there is nothing newer than {server.version}{waits}"


def _nothing(passage: Passage, server: Server, why: str) -> Outcome:
    return Outcome(
        outcome=CURRENT,
        ref=str(server.ref),
        evidence=passage.id,
        server=server.name,
        version=server.version,
        reason=Reason(code=CURRENT, message=why),
    )


async def _compared(passage: Passage, server: Server, proof: Proved) -> Difference:
    parts, name = passage.parts, server.name
    settings = passage.request.settings

    async def side(of: Server, offer: Offer, findings: Sequence[str]) -> Side:
        return Side(
            server=of,
            offer=offer,
            plan=plan_of_server(of, settings.secrets, parts.config, parts.sandbox.isolation),
            size=await parts.installations.size(name, of.installation.version),
            findings=tuple(findings),
        )

    offer = await parts.store.servers.approved(name) or (await parts.store.servers.offers()).get(name, Offer())
    before = await side(server, offer, findings_of(await parts.store.evidence.of(server.acquisition)))
    after = await side(proof.server, proof.report.offer, findings_of(await parts.store.evidence.of(passage.id)))
    return difference(before, after)


def _why_asked(asked: str, proof: Proved, *, approved: bool) -> tuple[str, ...]:
    """Return why it waits for a person: the policy asks, or vetting does; who said yes has agreed to both."""
    if approved:
        return (asked,) if asked else ()
    held = proof.verdict.judgement is Judgement.QUARANTINE
    return (*((asked,) if asked else ()), *(proof.verdict.reasons[:_REASONS] if held else ()))


def _proposal(proof: Proved, found: Difference, reasons: tuple[str, ...]) -> Proposal:
    report = proof.report
    server = msgspec.structs.replace(proof.server, era=report.era, transport=report.transport)
    notes = (*proof.notes, *(() if reasons else proof.verdict.reasons[:_REASONS]))
    bare = msgspec.structs.replace(server, settings=msgspec.structs.replace(server.settings, secrets={}))
    return Proposal(server=bare, offer=report.offer, tier=report.tier, difference=found, reasons=reasons, notes=notes)


async def _ready(passage: Passage, proposal: Proposal) -> None:
    """Leave everything as going on needs it."""
    await outdated(passage)
    await passage.parts.installations.unstage(proposal.server.name, passage.plan.version)
    passage.proposal = msgspec.json.encode(proposal)


async def _rolls(passage: Passage, proposal: Proposal) -> Outcome:
    await _ready(passage, proposal)
    passage.rolls = True
    return _outcome(passage, proposal, ROLLING)


async def _waits(passage: Passage, proposal: Proposal) -> Outcome:
    await _ready(passage, proposal)
    hint = f"vsm-mcp approve {passage.id} puts it into service, vsm-mcp deny {passage.id} drops it"
    reason = Reason(code=ApprovalNeeded.code, message="; ".join(proposal.reasons), hint=hint)
    return msgspec.structs.replace(_outcome(passage, proposal, WAITING), reason=reason)


async def _done(passage: Passage, proposal: Proposal, secrets: dict[str, str]) -> Outcome:
    old = await passage.parts.store.servers.get(proposal.server.name)
    server = await committed(passage, proposal.server, proposal.offer, secrets)
    passage.parts.emit(ServerUpgraded(server=server.name, before=old.version, after=server.version))
    return msgspec.structs.replace(_outcome(passage, proposal, "served"), admitted=server)


def _outcome(passage: Passage, proposal: Proposal, word: str) -> Outcome:
    server = proposal.server
    return Outcome(
        outcome=word,
        ref=str(server.ref),
        evidence=passage.id,
        server=server.name,
        version=server.version,
        tier=proposal.tier,
        tools=tuple(exposed(server.name, item.name) for item in proposal.offer.of(ItemKind.TOOL)),
        warnings=proposal.notes,
        plan=passage.shown,
    )
