"""The gaps of a home: what is needed, what of it is met, and what would close the rest (``vsm-mcp gaps``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.app.standings import Standings
from vsm_mcp.autopilot import gaps as gap_rules
from vsm_mcp.autopilot.gaps import Demanded, Fit, Gap, Keys, Variety, stems_of
from vsm_mcp.autopilot.plan import DAY
from vsm_mcp.discovery.screen import clean
from vsm_mcp.errors import BadArgument, NotFound
from vsm_mcp.gateway.lookup import Lookup
from vsm_mcp.matching.relevance import MET
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.need import Best, Past, Proposal, Seen

if TYPE_CHECKING:
    from vsm_mcp.app.acquiring import Acquiring
    from vsm_mcp.app.application import App

Match = tuple[str, str, float]
"""The tool that matches a need best, its server, the score; empty for none."""

MOST: Final = 1000
"""So many needs of a window are compared with the tools: the most wanted ones."""

_LOOKED_FOR: Final = 5
_SHOWN: Final = 200


class Gaps:
    """Answers ``gaps``, ``allow_need`` and ``deny_need``, and gathers the same for the autopilot.

    ``last`` is how many needs were demanded, and how many of them met, when that was last looked at.
    """

    def __init__(self, app: App, acquiring: Acquiring, standings: Standings) -> None:
        self._app = app
        self._acquiring = acquiring
        self._standings = standings
        self.last: tuple[int, int] | None = None
        self._fits: dict[str, Match] = {}
        self._of: tuple[Lookup, frozenset[str]] | None = None

    async def gaps(self, look: bool = False, limit: int = 50) -> dict[str, Any]:
        """Return the variety ratio and the needs behind it; with ``look``, candidates for unmet ones are sought now.

        What was found for a need is kept, and shown without ``look`` too.
        """
        found, _ = await self.variety()
        if look:
            unlooked = [gap for gap in found.needs if not gap.met and not gap.past.denied_by]
            await self.look(unlooked[:_LOOKED_FOR])
            found, _ = await self.variety()
        memory = self._app.store.memory
        proposals = await memory.proposals()
        waiting = {each.key: each.id for each in proposals.values() if each.kind == "acquire"}
        return {
            "ratio": round(found.ratio, 4),
            "demanded": found.demanded,
            "met": found.met,
            "window_days": self._app.config.autopilot.window_days,
            "threshold": MET,
            "gaps": [_row(gap, waiting.get(gap.key, "")) for gap in found.needs if not gap.met][:limit],
            "met_needs": [_met_row(gap) for gap in found.needs if gap.met][:limit],
            "proposals": [proposal_row(each) for each in proposals.values()],
            "budget": await self.budget(),
        }

    async def allow_need(self, need: str) -> dict[str, Any]:
        """Take back a no to a need. Raises :class:`NotFound` where there is none."""
        memory, actor = self._app.store.memory, self._app.actor
        pasts = await memory.needs()
        key = Keys(pasts).find(stems_of(need))
        past = pasts.get(key, Past())
        if not (past.denied_by or past.failures):
            raise NotFound(f"nobody said no to {need!r}", "vsm-mcp gaps shows the needs")
        action = Action(kind=ActionKind.APPROVE, subject=need, actor=actor)
        await self._app.performer.noted(
            action, "allowed", f"the no of {past.denied_by or 'its failures'} is taken back"
        )
        cleared = msgspec.structs.replace(past, denied_by="", denied_at=0.0, policy="", failures=0, failed_at=0.0)
        await memory.put_need(key, cleared)
        return {"need": past.need or need, "key": key, "allowed": True}

    async def deny_need(self, need: str) -> dict[str, Any]:
        """Say no to a need: nothing is acquired for it unasked, whoever needs it, until that is taken back."""
        if not stems_of(need):
            raise BadArgument("the need is empty", "say which one")
        key = await self._acquiring.deny(need, self._app.actor)
        for proposal in (await self._app.store.memory.proposals()).values():
            if proposal.kind == "acquire" and proposal.key == key:
                await self._app.store.memory.drop("proposal", proposal.id)
        return {"need": need, "key": key, "denied": "need"}

    async def budget(self) -> dict[str, dict[str, float]]:
        """Return what was spent in the last 24 hours, and of how much."""
        settings, spent = self._app.config.autopilot, await self._app.store.memory.spent(time.time() - DAY)
        limits = {
            "installs": settings.installs_per_day,
            "disk": settings.disk_bytes_per_day,
            "memory": settings.memory_bytes_per_day,
            "tokens": settings.tokens_per_day,
        }
        return {what: {"spent": spent.get(what, 0.0), "limit": float(limit)} for what, limit in limits.items()}

    # --- for the autopilot -----------------------------------------------------------------------------------------

    async def variety(self) -> tuple[Variety, dict[str, list[Demanded]]]:
        """Return the variety now, and by server the needs that its tools meet."""
        settings, store = self._app.config.autopilot, self._app.store
        seen = await store.demand.since(time.time() - settings.window_days * DAY)
        needs = await asyncio.to_thread(_wanted, with_declared(seen, settings.needs, time.time()))
        healthy = self._standings.healthy()
        matches = await self._compared(needs, healthy)
        fits = {key: Fit(tool, score) for key, (tool, _, score) in matches.items() if tool}
        found = gap_rules.variety(needs, fits, await store.memory.needs(), healthy)
        self.last = (found.demanded, found.met)
        met_by: dict[str, list[Demanded]] = {}
        for gap in found.needs:
            if gap.met:
                name, server, _ = matches[gap.demanded.key]
                met_by.setdefault(server if gap.by == name else gap.by, []).append(gap.demanded)
        return found, met_by

    async def look(self, gaps: list[Gap]) -> None:
        """Look for the best candidate for each gap, and remember it."""
        for gap in gaps:
            best = await self._acquiring.look(gap.demanded.need)
            await self.remember_best(gap.key, gap.demanded.need, _best(best, time.time()))

    async def remember_best(self, key: str, need: str, best: Best) -> None:
        """Remember what was found for a need."""
        memory = self._app.store.memory
        past = (await memory.needs()).get(key, Past(need=need))
        await memory.put_need(key, msgspec.structs.replace(past, best=best))

    async def _compared(self, needs: tuple[Demanded, ...], healthy: frozenset[str]) -> dict[str, Match]:
        """Compare needs with the tools of healthy servers; what was compared is kept as long as these stay the same."""
        lookup = self._app.gateway.view.catalogue.lookup
        kept = self._fits if self._of is not None and self._of[0] is lookup and self._of[1] == healthy else {}
        found: dict[str, Match] = {}
        for each in needs:
            found[each.key] = kept.get(each.key) or await lookup.best(each.need, healthy)
        self._of, self._fits = (lookup, healthy), found
        return found


def with_declared(seen: list[Seen], declared: tuple[str, ...], now: float) -> list[Seen]:
    """Return what was seen with the declared needs; one that was never written down is seen now, first of all.

    What was declared once and is not any more is left out.
    """
    wanted = {" ".join(need.split()).lower(): need for need in declared}
    kept = [one for one in seen if one.source != "declared" or one.need.lower() in wanted]
    there = {one.need.lower() for one in kept if one.source == "declared"}
    new = [
        Seen(need=need, source="declared", count=1, met=0, first=now, last=now)
        for key, need in wanted.items()
        if key and key not in there
    ]
    still = [msgspec.structs.replace(one, last=now) if one.source == "declared" else one for one in kept]
    return [*new, *still]


def _wanted(seen: list[Seen]) -> tuple[Demanded, ...]:
    needs = gap_rules.clustered(seen)
    if len(needs) <= MOST:
        return needs
    order = sorted(needs, key=lambda each: ("declared" not in each.sources, -each.count, -each.last))
    return tuple(order[:MOST])


def _best(found: Any, now: float) -> Best:
    if found is None:
        return Best(at=now, reason="no source knows anything")
    reason = clean(found.reasons[0], 200) if found.reasons else ""
    return Best(at=now, ref=clean(str(found.candidate.ref), 200), score=round(found.score, 4), reason=reason)


def _row(gap: Gap, waiting: str) -> dict[str, Any]:
    demanded, past = gap.demanded, gap.past
    return {
        "need": clean(demanded.need, _SHOWN),
        "count": demanded.count,
        "since": demanded.first,
        "last": demanded.last,
        "sources": demanded.sources,
        "nearest": round(gap.score, 4),
        "denied_by": past.denied_by,
        "failures": past.failures,
        "reason": past.reason,
        "best": msgspec.to_builtins(past.best),
        "proposal": waiting,
        "closing": gap_rules.closing(gap, waiting),
    }


def _met_row(gap: Gap) -> dict[str, Any]:
    demanded = gap.demanded
    return {
        "need": clean(demanded.need, _SHOWN),
        "count": demanded.count,
        "since": demanded.first,
        "last": demanded.last,
        "sources": demanded.sources,
        "by": gap.by,
        "score": round(gap.score, 4),
    }


def proposal_row(proposal: Proposal) -> dict[str, Any]:
    """Return what waits for a person, as ``gaps`` and ``status`` show it."""
    row: Mapping[str, Any] = msgspec.to_builtins(proposal)
    return {**row, "need": clean(proposal.need, _SHOWN), "approve": f"vsm-mcp approve {proposal.id}"}
