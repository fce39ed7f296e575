"""From needs to servers: in the name of a person, of an agent, of the autopilot, or of the person at a client."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from vsm_mcp.app.agents import ACTOR
from vsm_mcp.app.finding import Finder
from vsm_mcp.app.upgrading import Upgrading
from vsm_mcp.autopilot.acquire import acquire
from vsm_mcp.autopilot.admission.admit import admit
from vsm_mcp.autopilot.gaps import Keys, key_of, stems_of
from vsm_mcp.autopilot.outcome import Outcome, Request, outcome_of
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.discovery.screen import clean
from vsm_mcp.errors import ApprovalNeeded, NotFound, NothingFound, PolicyDenied
from vsm_mcp.gateway.lookup import Lookup
from vsm_mcp.gateway.needs import Agreed, Consent
from vsm_mcp.matching.relevance import MET
from vsm_mcp.model.action import Action, ActionKind, Verdict
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.need import Past
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.model.wants import ANYTHING, Wants
from vsm_mcp.policy import THROUGH_CLIENT, decide, risk_of

AUTOPILOT: Final = "autopilot"
NOTHING_YET: Final = parse_ref("cmd:none")
_TRIES: Final = 3
_LINE: Final = 300


class Acquiring:
    """Takes needs through the pipeline. ``parts`` makes what an admission works with.

    ``later`` gives who finds candidates, who has what was admitted run, and who finds tools of what is served: they are
    made after this is. It also answers for what the person at a client may agree to.
    """

    def __init__(self, parts: Callable[[], Parts], later: Callable[[], tuple[Finder, Upgrading, Lookup]]) -> None:
        self._parts = parts
        self._later = later

    async def acquire(self, template: Request, tries: int = _TRIES, wants: Wants = ANYTHING) -> Outcome:
        """Acquire what ``template`` needs, and write the need down.

        Raises :class:`BadReference`, :class:`NothingFound` and :class:`ApprovalNeeded`.
        """
        source = "agent" if template.actor == ACTOR else "person"
        demand = self._parts().store.demand
        try:
            outcome = await self._passed(template, tries, wants)
        except NotFound:
            await demand.record(template.need, source, met=False)
            raise
        await demand.record(template.need, source, met=outcome.outcome == "served")
        return await self._later()[1].taken_in(outcome)

    async def for_agent(self, need: str) -> Outcome:
        """In the name of an agent, who may not agree to what a person may. Raises :class:`PolicyDenied` after a no."""
        past = await self.past(need)
        if past.denied_by:
            action = Action(kind=ActionKind.ACQUIRE, subject=need, actor=ACTOR)
            reason = f"{past.denied_by} said no to it"
            await self._parts().performer.refused(action, "denied", reason)
            hint = "a person takes that back: vsm-mcp gaps --allow NEED"
            raise PolicyDenied(f"acquire {clean(need, _LINE)}: {reason}", hint)
        return await self.acquire(Request(ref=NOTHING_YET, actor=ACTOR, need=need))

    async def for_autopilot(self, need: str, without: Ref | None = None) -> Outcome:
        """In the name of the autopilot; its own attempts are no demand. ``without`` is a server that shall not be it.

        Raises :class:`NothingFound` and :class:`ApprovalNeeded`.
        """
        template = Request(ref=NOTHING_YET, actor=AUTOPILOT, need=need)
        return await self._later()[1].taken_in(await self._passed(template, _TRIES, ANYTHING, without))

    async def look(self, need: str) -> Appraisal | None:
        """Return the best candidate for a need, if there is any; nothing is fetched."""
        parts, template = self._parts(), Request(ref=NOTHING_YET)
        try:
            found = await self._later()[0].find(need, template.settings, ANYTHING, parts.emit)
        except NothingFound:
            return None
        return next((each for each in found.ranked if not each.candidate.installed), None)

    async def by_ref(self, need: str, ref: str, actor: str) -> Outcome:
        """Acquire exactly ``ref`` for a need that ``actor`` agreed to; vetting may still object."""
        where = parse_ref(ref)
        known = self._later()[0].known(where)
        request = Request(ref=where, actor=actor, approved=True, need=need, known=known)
        return await self._later()[1].taken_in(await admit(self._parts(), request))

    async def past(self, need: str) -> Past:
        """Return what is remembered of a need, however it is worded."""
        pasts = await self._parts().store.memory.needs()
        return pasts.get(Keys(pasts).find(stems_of(need)), Past())

    # --- through clients -----------------------------------------------------------------------------------------

    def offered(self, need: str, outcome: Outcome) -> Consent | None:
        """Return what the person at a client may be asked; ``None`` where a yes from there would not be enough."""
        if outcome.asked is None:
            return None
        facts = {**outcome.asked.facts, "approved": True}
        asked = msgspec.structs.replace(outcome.asked, actor=f"{THROUGH_CLIENT}client", facts=facts)
        if decide(asked, self._parts().config.policy).verdict is not Verdict.ALLOW:
            return None
        return Consent(ref=outcome.ref, question=question(need, outcome))

    async def agreed(self, need: str, agreed: Agreed) -> Outcome:
        """Acquire what the person at a client agreed to."""
        outcome = await self.by_ref(need, agreed.ref, f"{THROUGH_CLIENT}{agreed.via}")
        await self._parts().store.demand.record(need, "agent", met=outcome.outcome == "served")
        return outcome

    async def declined(self, need: str, via: str) -> None:
        """Remember that the person at a client said no to a need."""
        await self.deny(need, f"{THROUGH_CLIENT}{via}")

    async def deny(self, need: str, who: str) -> str:
        """Remember a no, until somebody takes it back; return the need's key."""
        parts = self._parts()
        pasts = await parts.store.memory.needs()
        key = Keys(pasts).find(stems_of(need)) or key_of(stems_of(need))
        action = Action(kind=ActionKind.DENY, subject=need, actor=who)
        await parts.performer.noted(action, "denied", "a person said no to a need")
        past = pasts.get(key, Past(need=need))
        denied = msgspec.structs.replace(past, denied_by=who, denied_at=time.time())
        await parts.store.memory.put_need(key, denied)
        return key

    # --- inside --------------------------------------------------------------------------------------------------

    async def _passed(self, template: Request, tries: int, wants: Wants, without: Ref | None = None) -> Outcome:
        only = parse_ref(wants.ref) if wants.ref else None
        parts, need = self._parts(), template.need
        found = await self._later()[0].find(need, template.settings, wants, parts.emit)
        ranked = [each for each in found.ranked if _wanted(each.candidate.ref, without, only)]
        if not ranked:
            raise NothingFound(f"nothing else was found for {need!r}")
        template = msgspec.structs.replace(
            template,
            method=wants.method,
            asks=wants.asks,
            must_suit=only is None,
            # What nobody asked for is not taken on a chance: a gap that it does not close would call for the next one.
            nearest=template.actor != AUTOPILOT,
        )
        plainly = await self._plainly(need, ranked)
        try:
            return await acquire(parts, template, ranked, tries, admit, plainly)
        except ApprovalNeeded as error:
            if template.actor != AUTOPILOT:
                raise
            best = msgspec.structs.replace(template, ref=ranked[0].candidate.ref)
            return outcome_of(error, best, "")

    async def _plainly(self, need: str, ranked: Sequence[Appraisal]) -> frozenset[str]:
        """Return the servers among the candidates that are here, and of which a tool plainly does what is needed."""
        lookup, names = self._later()[2], [each.candidate.name for each in ranked if each.candidate.installed]
        return frozenset([name for name in names if (await lookup.best(need, {name}))[2] >= MET])


def _wanted(ref: Ref, without: Ref | None, only: Ref | None) -> bool:
    if only is not None and ref.identity != only.identity:
        return False
    return without is None or ref.identity != without.identity


def question(need: str, outcome: Outcome) -> str:
    """Return what a person is asked about an acquisition, in lines; what others wrote in it is made harmless."""
    facts, plan = outcome.asked.facts if outcome.asked is not None else {}, outcome.plan
    risk = risk_of(facts)
    lines = [f"An agent lacks this: {clean(need, _LINE)}", f"May {clean(outcome.ref, _LINE)} be installed for it?"]
    if plan is not None:
        reads = ", ".join((*plan.reads, "its own program"))
        where = f"It would run in the sandbox (tier {plan.tier}), network {plan.network}"
        writes = clean(", ".join(plan.writes), _LINE) or "nothing of yours"
        lines.append(f"{where}, reading {clean(reads, _LINE)}, writing {writes}.")
    lines.append(f"Risk {risk.score:.2f}{': ' if risk.reasons else ''}{'; '.join(risk.reasons)}.")
    lines.append("It is vetted and tried first; what that objects to is not installed.")
    return "\n".join(lines)
