"""Rollouts of one home: how each goes on, looked at by a loop in the daemon, and moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.app.newcomers import common_tools
from vsm_mcp.app.rollout_course import ACTOR, FOLLOWED, Course
from vsm_mcp.app.stand_ins import of_rival, plain_stand_ins
from vsm_mcp.autopilot.admission.upgrading import Proposal
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.errors import BadArgument, NotFound, VsmError
from vsm_mcp.model.beat import until_beat
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.newcomer import newcomer_of
from vsm_mcp.model.rollout import OVER, SETTLED, Phase, Rollout
from vsm_mcp.model.server import Server
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.rollout import Decision, measure, onwards
from vsm_mcp.store.sagas import Saga

if TYPE_CHECKING:
    from vsm_mcp.app.application import App
log = logging.getLogger(__name__)

_HINT: Final = "name tools that can: those of the same name and parameters, and what is known to do the same"

ROLLOUTS: Final = frozenset(f"rollout_{word}" for word in ("list", "start", "promote", "hold", "back"))
"""The operations of the control API that are :class:`Rollouts`'."""


class Rollouts:
    """All rollouts of a home. A server's version is changed by whoever holds ``app.upgrading.lock(server)`` alone.

    ``stand_ins`` says who can do the work of a server's tool; those that are defined alike always can. What is done by
    itself is done while :meth:`running` is entered; without it, rollouts stand still, and can be taken back or through
    by hand.
    """

    def __init__(self, app: App) -> None:
        self._plain = self.stand_ins = plain_stand_ins(app.fleet)
        self._app = app
        self._course = Course(app)
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._known = self._loaded = self._runs = False
        app.upgrading.gradual = self

    # --- what upgrades ask -------------------------------------------------------------------------------------------

    def takes(self, server: Server) -> bool:
        """See :class:`vsm_mcp.app.upgrading.Gradual`."""
        in_service = server.enabled and not server.quarantined and server.name in self._app.fleet.offers
        return self._runs and self._app.config.rollout.enabled and in_service

    async def of(self, name: str) -> dict[str, Any] | None:
        """See :class:`vsm_mcp.app.upgrading.Gradual`; only what is under way."""
        await self._read()
        rollout = self._course.rollouts.get(name)
        return None if rollout is None or rollout.phase in SETTLED else self._course.row(rollout)

    async def begin(self, saga: Saga) -> str:
        """See :class:`vsm_mcp.app.upgrading.Gradual`."""
        await self._load()
        name, app = saga.plan.server, self._app
        await self.give_up(name, "another upgrade takes its place")
        proposal, server = msgspec.json.decode(saga.proposal, type=Proposal), app.fleet.get(name)
        tools = common_tools(app.fleet.offers.get(name, Offer()), proposal.offer)
        if not tools:
            return "no tool of it is defined as before, so there are no calls to compare"
        rollout = Rollout(
            id=saga.id,
            server=name,
            newcomer=newcomer_of(name, proposal.server.version),
            before=server.version,
            after=proposal.server.version,
            actor=app.actor,
            tools=tools,
        )
        self._course.proposals[name] = proposal
        await self._course.begun(rollout)
        return ""

    async def give_up(self, name: str, reason: str) -> None:
        """See :class:`vsm_mcp.app.upgrading.Gradual`."""
        await self._load()
        rollout = self._course.rollouts.get(name)
        if rollout is None or rollout.phase in OVER:
            return
        if rollout.phase is Phase.RETIRING:
            await self._course.retire(rollout, now=True)
        else:
            await self._course.back(rollout, reason, self._app.actor)

    async def forget(self, name: str) -> None:
        """See :class:`vsm_mcp.app.upgrading.Gradual`."""
        await self.give_up(name, "its server was removed")
        self._course.rollouts.pop(name, None)
        await self._app.store.rollouts.forget(name)

    # --- operations --------------------------------------------------------------------------------------------------

    async def rollout_list(self) -> dict[str, Any]:
        """Return the last rollout of each server."""
        await self._read()
        return {"rollouts": [self._course.row(rollout) for _, rollout in sorted(self._course.rollouts.items())]}

    async def rollout_start(self, rival: str, server: str, tools: tuple[str, ...] = ()) -> dict[str, Any]:
        """Have a server of the catalogue take another one's calls by stages, as far as its tools can stand in.

        Raises :class:`UnknownServer`, :class:`BadArgument`, :class:`PolicyDenied`.
        """
        await self._load()
        app, settings = self._app, self._app.config.rollout
        incumbent, newcomer = app.fleet.get(server), app.fleet.get(rival)
        for each in (incumbent, newcomer):
            if each.quarantined or not each.enabled or each.name not in app.fleet.offers:
                raise BadArgument(f"{each.name} is not in service", "vsm-mcp list shows what is")
        if rival == server or await self.of(server) is not None:
            raise BadArgument(f"{server} is in a rollout already, or its own rival", "vsm-mcp rollout list")
        await app.in_service.capabilities.settle()
        found = self._standing_in(server, rival, tools)
        rollout = Rollout(
            id=uuid.uuid4().hex[:12],
            server=server,
            newcomer=rival,
            before=server,
            after=rival,
            actor=app.actor,
            tools=tuple(found),
            stand_ins=found,
            stages=settings.stages,
        )
        action = self._course.action(rollout, app.actor, str(newcomer.ref))
        async with app.upgrading.lock(server):
            await app.performer.perform(action, lambda: self._course.begun(rollout), f"begin: {server} -> {rival}")
        return self._course.row(self._course.rollouts[server])

    async def rollout_promote(self, name: str) -> dict[str, Any]:
        """Take a rollout to its next stage now, whatever was counted; beyond the last one it is done."""
        async with self._by_hand(name) as rollout:
            numbers = measure(rollout, self._app.config.rollout, time.time())
            decision = Decision(what=onwards(rollout), reason="somebody said so", numbers=numbers)
            await self._course.act(msgspec.structs.replace(rollout, held=False), decision, self._app.actor)
        return self._course.row(self._course.rollouts[name])

    async def rollout_hold(self, name: str) -> dict[str, Any]:
        """Keep a rollout where it is until it is promoted by hand; it is still taken back where it must be."""
        async with self._by_hand(name) as rollout:
            await self._app.performer.clear(
                self._course.action(rollout, self._app.actor), f"hold at {rollout.percent} %"
            )
            await self._course.put(msgspec.structs.replace(rollout, held=True))
        return self._course.row(self._course.rollouts[name])

    async def rollout_back(self, name: str) -> dict[str, Any]:
        """Take a rollout back: all calls go to the incumbent again."""
        async with self._by_hand(name, Phase.STANDING) as rollout:
            await self._course.back(rollout, "somebody said so", self._app.actor)
        return self._course.row(self._course.rollouts[name])

    # --- the loop ----------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on with what is under way, and look at it every so often; leaving it ends that."""
        self._runs = True
        await self._load()
        task = asyncio.get_running_loop().create_task(self._loop(), name="rollouts")
        try:
            yield
        finally:
            self._runs = False
            tasks = (task, *self._course.warming.values())
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)
            if self._looking:  # what they do is done to its end
                await asyncio.wait(self._looking.values())
            for rollout in self._course.rollouts.values():
                if rollout.phase not in OVER:
                    with contextlib.suppress(VsmError):
                        await self._course.put(self._course.counted_now(rollout))

    async def _loop(self) -> None:
        while True:
            self._course.news.clear()
            if all(rollout.phase in OVER for rollout in self._course.rollouts.values()):
                await self._course.news.wait()
            for name, rollout in self._course.rollouts.items():
                before = self._looking.get(name)
                if rollout.phase not in OVER and (before is None or before.done()):  # one that drains holds up no other
                    look = self._looked(name)
                    self._looking[name] = asyncio.get_running_loop().create_task(look, name=f"looks at {name}")
            await asyncio.sleep(until_beat(self._app.config.rollout.check_seconds, asyncio.get_running_loop().time()))

    async def _looked(self, name: str) -> None:
        """Look at one rollout, unless somebody is changing its server just now."""
        lock, rollout = self._app.upgrading.lock(name), self._course.rollouts.get(name)
        if rollout is None or lock.locked():
            return
        async with lock:
            try:
                await self._course.look(name)
            except VsmError as error:  # a full disk: it stays where it is, and is looked at again
                log.warning("the rollout of %s stays where it is: %s", name, error)
            except Exception:  # a fault of ours must not stop the others
                log.exception("the rollout of %s was not looked at", name)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read what there is, once; whoever only looks changes nothing."""
        if not self._known:
            self._known = True
            self._course.rollouts = {rollout.server: rollout for rollout in await self._app.store.rollouts.all()}

    async def _load(self) -> None:
        """Read what there is; what a dead process began or took back is brought to its end, once."""
        await self._read()
        if self._loaded:
            return
        self._loaded = True
        app = self._app
        for saga in await app.store.sagas.ready():
            if not saga.rolling:
                continue
            rollout = self._course.rollouts.get(saga.plan.server)
            self._course.proposals[saga.plan.server] = msgspec.json.decode(saga.proposal, type=Proposal)
            if rollout is not None and rollout.id == saga.id:
                if rollout.phase is Phase.ROLLED_BACK:
                    await self._course.undone(rollout)
            elif await self.begin(saga):
                await Undo(app.store, app.installations, app.bus.emit).undo(saga.id, saga.plan)
        ready = {saga.id for saga in await app.store.sagas.ready()}
        for rollout in tuple(self._course.rollouts.values()):
            if rollout.rival or rollout.phase in SETTLED or rollout.id in ready or rollout.phase is Phase.FINISHING:
                continue
            await self._course.back(rollout, "its files are gone", ACTOR)

    @contextlib.asynccontextmanager
    async def _by_hand(self, name: str, *also: Phase) -> AsyncIterator[Rollout]:
        await self._load()
        async with self._app.upgrading.lock(name):
            rollout = self._course.rollouts.get(name)
            if rollout is None or rollout.phase not in (*FOLLOWED, *also):
                raise NotFound(f"{name!r} is in no rollout", "vsm-mcp rollout list shows them")
            yield rollout

    def _standing_in(self, server: str, rival: str, tools: tuple[str, ...]) -> dict[str, StandIn]:
        """Return how the rival's tools stand in. Raises :class:`BadArgument` where none does, or not all named ones."""
        asked = tools or tuple(item.name for item in self._app.fleet.offers[server].of(ItemKind.TOOL))
        found = of_rival(self._plain, server, asked, rival) | of_rival(self.stand_ins, server, asked, rival)
        missing = [tool for tool in tools if tool not in found]
        if missing or not found:
            what = ", ".join(missing) or "any tool"
            raise BadArgument(f"{rival} cannot stand in for {what} of {server}", _HINT)
        return found
