"""The course of rollouts: what each look finds is done, written down first and in the evidence with its numbers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.app.newcomers import Newcomers
from vsm_mcp.app.rollout_counts import Counting, so_far
from vsm_mcp.app.rollout_view import shown
from vsm_mcp.autopilot.admission.upgrading import Proposal
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.errors import VsmError
from vsm_mcp.events import RolloutAdvanced, RolloutBegan, RolloutFinished, RolloutRolledBack
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.rollout import Phase, Rollout
from vsm_mcp.routing.rollout import Decision, advanced, counted, decide, measure
from vsm_mcp.store.sagas import Saga

if TYPE_CHECKING:
    from vsm_mcp.app.application import App

ACTOR: Final = "rollout"
FOLLOWED: Final = frozenset({Phase.SHADOW, Phase.SHARE})


class Course:
    """Moves rollouts. Whoever calls holds ``app.upgrading.lock(server)``.

    ``rollouts`` is the last one of each server; ``proposals`` are what is to be put into service, of versions.
    """

    def __init__(self, app: App) -> None:
        self.rollouts: dict[str, Rollout] = {}
        self.news = asyncio.Event()
        """Set whenever something is written down about a rollout."""
        self.proposals: dict[str, Proposal] = {}
        self.newcomers = Newcomers(app)
        self.warming: dict[str, asyncio.Task[str]] = {}
        self._app = app
        self._counting: dict[str, Counting] = {}
        self._warm: set[str] = set()

    async def look(self, name: str) -> None:
        """Take in what is new of one rollout, and do what follows."""
        rollout = self.rollouts[name]
        if rollout.phase is Phase.RETIRING:
            return await self.retire(rollout)
        if why := self._gone(rollout):
            return await self.back(rollout, why, ACTOR)
        if rollout.phase is Phase.FINISHING:
            return await self._finish(rollout, rollout.reason)
        if not await self._ready(rollout):
            return None
        if rollout.phase not in FOLLOWED:
            return None
        new = self.newcomers.mirrored(self.counted_now(rollout))
        if new != rollout:
            await self.put(new)
        decision = decide(new, self._app.config.rollout, time.time())
        if decision.what != "hold":
            return await self.act(new, decision, ACTOR)
        return None

    def _gone(self, rollout: Rollout) -> str:
        """Return why a rollout cannot go on whatever is counted; empty where it can."""
        server = self._app.fleet.servers.get(rollout.server)
        if server is None:
            return "its server was removed"
        if rollout.rival:
            return "" if rollout.newcomer in self._app.fleet.servers else f"{rollout.newcomer} was removed"
        if server.version != rollout.before and rollout.phase is not Phase.FINISHING:
            return f"{server.version} took the place of {rollout.before} meanwhile"
        return ""

    async def _ready(self, rollout: Rollout) -> bool:
        """Whether the newcomer answers, and has its share; it is taken back where it does not come up."""
        name, proposal = rollout.server, self.proposals.get(rollout.server)
        vetted = None if proposal is None else proposal.offer
        if name in self._warm:
            try:
                self.newcomers.check(rollout, vetted)
            except VsmError as error:
                await self.back(rollout, error.message, ACTOR)
                return False
            if proposal is not None:
                await self.newcomers.follow(rollout, proposal)
            return True
        if name not in self.warming:
            self.warming[name] = asyncio.get_running_loop().create_task(self._warmed(rollout), name=f"warms {name}")
        if not self.warming[name].done():
            return False
        why = self.warming.pop(name).result()
        if why:
            await self.back(rollout, f"it did not come up: {why}", ACTOR)
            return False
        self._warm.add(name)
        self._counting[name] = Counting(self._app.gateway.router.ledger, rollout)
        self.newcomers.give(rollout)
        return True

    async def _warmed(self, rollout: Rollout) -> str:
        """Bring a newcomer up; return why it does not come up."""
        proposal = self.proposals.get(rollout.server)
        try:
            if proposal is not None:
                self.newcomers.supervise(rollout, proposal)
            await self.newcomers.warm_up(rollout, None if proposal is None else proposal.offer)
        except VsmError as error:
            return error.message
        return ""

    async def begun(self, rollout: Rollout) -> None:
        """Begin, with copies first where the settings say so and there is something to copy."""
        now, settings = time.time(), self._app.config.rollout
        copied = settings.shadow and self.newcomers.copied(rollout)
        phase = Phase.SHADOW if copied else Phase.SHARE
        known = so_far(self._app.gateway.router.ledger, rollout)
        rollout = msgspec.structs.replace(
            rollout, phase=phase, stages=settings.stages, began=now, since=now, tallies=known
        )
        await self.put(rollout)
        await self._record(rollout, "began", rollout.reason, None)
        event = RolloutBegan(server=rollout.server, newcomer=rollout.newcomer, percent=rollout.percent)
        self._app.bus.emit(event)

    async def act(self, rollout: Rollout, decision: Decision, actor: str) -> None:
        """Do what was decided, if the policy lets it; what it does not let into service any more goes back."""
        if decision.what == "roll_back":
            return await self.back(rollout, decision.reason, actor, decision)
        detail = f"{rollout.newcomer} at {rollout.percent} %: {decision.what}: {decision.reason}"
        try:
            await self._app.performer.clear(self.action(rollout, actor), detail, rollout.id)
        except VsmError as error:
            return await self.back(rollout, error.message, actor, decision)
        await self._record(rollout, decision.what, decision.reason, decision)
        if decision.what == "done":
            return await self._finish(rollout, decision.reason)
        rollout = msgspec.structs.replace(advanced(rollout, time.time()), reason=decision.reason)
        await self.put(rollout)
        if rollout.server in self._warm:
            self.newcomers.give(rollout)
        self._app.bus.emit(
            RolloutAdvanced(
                server=rollout.server, newcomer=rollout.newcomer, percent=rollout.percent, reason=decision.reason
            )
        )
        return None

    async def _finish(self, rollout: Rollout, reason: str) -> None:
        """Have the newcomer take the place of the incumbent; no call waits for that, and none is lost.

        The new version is started under the server's own name while the newcomer still takes the calls.
        """
        if rollout.rival:
            done = msgspec.structs.replace(rollout, phase=Phase.STANDING, reason=reason)
            await self.put(done)
            if rollout.server in self._warm:
                self.newcomers.give(done)
        else:
            rollout = msgspec.structs.replace(rollout, phase=Phase.FINISHING, reason=reason)
            await self.put(rollout)
            if why := await self._taken_over(rollout):
                return await self.back(rollout, why, ACTOR)
            done = msgspec.structs.replace(rollout, phase=Phase.RETIRING)
            await self.put(done)
            await self.retire(done)
        self._app.bus.emit(RolloutFinished(server=rollout.server, newcomer=rollout.newcomer, reason=reason))
        await self._record(done, "finished", reason, None)
        return None

    async def retire(self, rollout: Rollout, *, now: bool = False) -> None:
        """Stop a newcomer whose version has taken the incumbent's place: at once, or when no session is left to it."""
        if not now and rollout.server in self._warm and self.newcomers.keep_sessions(rollout):
            return
        await self._leave(rollout, "it has taken the place of the incumbent")
        await self.put(msgspec.structs.replace(rollout, phase=Phase.DONE))

    async def _taken_over(self, rollout: Rollout) -> str:
        """Commit the upgrade; return why that cannot be."""
        saga = await self._saga(rollout)
        if saga is None:
            committed = self._app.fleet.get(rollout.server).acquisition == rollout.id
            return "" if committed else "its files are gone"
        outcome = await self._app.upgrading.take_over(saga)
        return "" if outcome.outcome == "served" or outcome.reason is None else outcome.reason.message

    async def back(self, rollout: Rollout, reason: str, actor: str, decision: Decision | None = None) -> None:
        """Give all calls to the incumbent again, at once; then end the newcomer and take its version back."""
        percent = rollout.percent
        await self.newcomers.withdraw(rollout)
        detail = f"{rollout.newcomer} at {percent} %: roll back: {reason}"
        server = self._app.fleet.servers.get(rollout.server)
        ref = "" if server is None else str(server.ref)
        with contextlib.suppress(VsmError):  # the way back is never barred
            await self._app.performer.clear(self.action(rollout, actor, ref), detail, rollout.id)
        rolled_back = msgspec.structs.replace(rollout, phase=Phase.ROLLED_BACK, reason=reason)
        await self.put(rolled_back)
        await self._record(rollout, "roll_back", reason, decision)
        event = RolloutRolledBack(server=rollout.server, newcomer=rollout.newcomer, percent=percent, reason=reason)
        self._app.bus.emit(event)
        await self._leave(rollout, "it was rolled back")
        await self.undone(rollout)

    async def _leave(self, rollout: Rollout, reason: str) -> None:
        """Let go of a newcomer that is not one any more."""
        name = rollout.server
        warming = self.warming.pop(name, None)
        if warming is not None:
            warming.cancel()
            await asyncio.wait([warming])
        await self.newcomers.withdraw(rollout)
        await self.newcomers.retire(rollout, reason)
        self._warm.discard(name)
        self._counting.pop(name, None)
        self.proposals.pop(name, None)

    async def undone(self, rollout: Rollout) -> None:
        """Take back what an upgrade left ready; idempotent."""
        saga = await self._saga(rollout)
        if saga is not None:
            app = self._app
            await Undo(app.store, app.installations, app.bus.emit).undo(saga.id, saga.plan)

    def counted_now(self, rollout: Rollout) -> Rollout:
        """Return a rollout with what the ledger has of it by now."""
        counting = self._counting.get(rollout.server)
        if counting is None:
            return rollout
        incumbent, newcomer = counting.news()
        return counted(rollout, incumbent, newcomer) if incumbent or newcomer else rollout

    async def _saga(self, rollout: Rollout) -> Saga | None:
        ready = await self._app.store.sagas.ready()
        return next((saga for saga in ready if saga.id == rollout.id and saga.rolling), None)

    async def put(self, rollout: Rollout) -> None:
        """Write down how a rollout stands."""
        self.rollouts[rollout.server] = rollout
        self.news.set()
        await self._app.store.rollouts.put(rollout)

    async def _record(self, rollout: Rollout, what: str, reason: str, decision: Decision | None) -> None:
        """Add a decision with its numbers to the evidence."""
        row = self.row(rollout) | {"decision": what, "reason": reason}
        if decision is not None:
            row["numbers"] = msgspec.to_builtins(decision.numbers)
        await self._app.store.evidence.add(rollout.id, "rollout", row)

    def row(self, rollout: Rollout) -> dict[str, Any]:
        """Return the document of a rollout."""
        return shown(rollout, measure(rollout, self._app.config.rollout, time.time()))

    def action(self, rollout: Rollout, actor: str, ref: str = "") -> Action:
        """Return what the policy is asked; by default about the newcomer's reference."""
        proposal = self.proposals.get(rollout.server)
        known = str(proposal.server.ref) if proposal is not None else ""
        if rollout.rival and rollout.newcomer in self._app.fleet.servers:
            known = str(self._app.fleet.get(rollout.newcomer).ref)
        return Action(kind=ActionKind.ROLLOUT, subject=rollout.server, actor=actor, facts={"ref": ref or known})
