"""Newcomers as they run: brought up beside the incumbent, looked at before the first call, drained before the last."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.autopilot.admission.order import carried
from vsm_mcp.autopilot.admission.upgrading import Proposal
from vsm_mcp.errors import ServerDown, UnknownServer, VsmError
from vsm_mcp.gateway.mirror import Mirror
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.rollout import Phase, Rollout
from vsm_mcp.model.server import Server, ServerState
from vsm_mcp.routing.shares import Share
from vsm_mcp.vetting.pins import compare, pins_of

if TYPE_CHECKING:
    from vsm_mcp.app.application import App

_ALIKE: Final = ("inputSchema", "outputSchema", "annotations", "execution")
_SETTLED_BY_THE_SERVER: Final = ("observed_stateful", "keeps_home")


def common_tools(before: Offer, after: Offer) -> tuple[str, ...]:
    """Return the tools whose definition is to a client what it was: others are the incumbent's to the end.

    None of a server that makes tasks of calls: those are asked about by the server's name.
    """
    if any("tasks" in msgspec.json.decode(offer.capabilities) for offer in (before, after)):
        return ()
    new = {item.name: item for item in after.of(ItemKind.TOOL)}
    mine = ((item.name, _shape(item), _shape(new[item.name])) for item in before.of(ItemKind.TOOL) if item.name in new)
    return tuple(name for name, one, other in mine if one == other and not _makes_tasks(one))


def read_only(offer: Offer, tools: tuple[str, ...]) -> frozenset[str]:
    """Return those of the tools that say that calling them changes nothing."""
    said = {item.name: msgspec.json.decode(item.raw).get("annotations") or {} for item in offer.of(ItemKind.TOOL)}
    return frozenset(
        tool
        for tool in tools
        if said.get(tool, {}).get("readOnlyHint") is True and said[tool].get("destructiveHint") is not True
    )


def _shape(item: Definition) -> Mapping[str, Any]:
    whole = msgspec.json.decode(item.raw)
    return {member: whole.get(member) for member in _ALIKE}


def _makes_tasks(shape: Mapping[str, Any]) -> bool:
    execution = shape["execution"]
    return isinstance(execution, dict) and execution.get("taskSupport") not in (None, "forbidden")


class Newcomers:
    """The processes of newcomers, and the share that the router gives them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._mirrors: dict[str, Mirror] = {}

    def supervise(self, rollout: Rollout, proposal: Proposal) -> bool:
        """Have a version run with the settings that its server has by now; return whether they are other ones."""
        server = self._app.fleet.get(rollout.server)
        kept = {field: getattr(server, field) for field in _SETTLED_BY_THE_SERVER}
        kept |= carried(server, proposal.server.way)
        newcomer = msgspec.structs.replace(proposal.server, name=rollout.newcomer, enabled=True, **kept)
        known = self._known(rollout.newcomer)
        if known == newcomer:
            return False
        self._app.runtime.add(newcomer)
        return known is not None

    async def warm_up(self, rollout: Rollout, vetted: Offer | None) -> None:
        """Start it, have it answer, and see that it offers what was vetted. Raises :class:`VsmError` where not."""
        runtime, name = self._app.runtime, rollout.newcomer
        await runtime.connection(name, self._app.config.runtime.start_timeout_seconds)
        health = await runtime.health(name)
        if not health.ok:
            raise ServerDown(f"{name} does not answer: {health.detail}")
        self.check(rollout, vetted)

    def check(self, rollout: Rollout, vetted: Offer | None) -> None:
        """Raise :class:`ServerDown` where a newcomer was given up, or offers other tools than were vetted."""
        runtime, name = self._app.runtime, rollout.newcomer
        status = runtime.status(name)
        if status.state is ServerState.GAVE_UP:
            raise ServerDown(f"it does not run: {status.reason}")
        offer = runtime.offer(name)
        if vetted is None or offer is None:
            return
        changed = compare(pins_of(vetted), offer, vetted).changed
        if changed:
            raise ServerDown(f"it offers other things than were vetted: {', '.join(changed[:3])}")

    def give(self, rollout: Rollout) -> None:
        """Have the router give it its share."""
        app, server = self._app, rollout.server
        mirror = self._mirror(rollout)
        stateful = app.runtime.stateful(server)
        share = Share(
            newcomer=rollout.newcomer,
            percent=rollout.percent,
            salt=rollout.id,
            tools=frozenset(rollout.tools),
            stand_ins=rollout.stand_ins,
            loose=not stateful,
            staying=self._sessions(server) if stateful else frozenset(),
            coming=self._sessions(rollout.newcomer) if stateful else frozenset(),
            copied=frozenset() if mirror is None else self.copied(rollout),
            copy=None if mirror is None else mirror.copy,
        )
        app.gateway.router.share(server, share)

    def keep_sessions(self, rollout: Rollout) -> bool:
        """Have the sessions that began with it stay with it, and nobody else come to it; return whether there are any.

        It is stopped when they have ended: by themselves, or after the time that a session's process may be idle.
        """
        sessions = self._sessions(rollout.newcomer) if self._app.runtime.stateful(rollout.server) else frozenset()
        if sessions:
            share = self._app.gateway.router.shares.get(rollout.server)
            if share is not None and share.percent:
                share = msgspec.structs.replace(share, percent=0, staying=frozenset(), coming=sessions)
                self._app.gateway.router.share(rollout.server, share)
        return bool(sessions)

    def copied(self, rollout: Rollout) -> frozenset[str]:
        """Return the tools whose calls may be copied: read-only ones, on both sides, of servers without state."""
        app, server = self._app, rollout.server
        if app.runtime.stateful(server) or server not in app.fleet.offers:
            return frozenset()
        mine = read_only(app.fleet.offers[server], rollout.tools)
        if not rollout.rival:
            return mine
        theirs = read_only(
            app.fleet.offers.get(rollout.newcomer, Offer()), tuple(each.tool for each in rollout.stand_ins.values())
        )
        return frozenset(tool for tool in mine if rollout.stand_ins[tool].tool in theirs)

    def mirrored(self, rollout: Rollout) -> Rollout:
        """Return a rollout with what came of copies so far."""
        mirror = self._mirrors.get(rollout.server)
        return rollout if mirror is None else msgspec.structs.replace(rollout, mirrored=mirror.found)

    async def withdraw(self, rollout: Rollout) -> None:
        """Give it no calls any more; those that it has may end."""
        self._app.gateway.router.share(rollout.server, None)
        mirror = self._mirrors.pop(rollout.server, None)
        if mirror is not None:
            await mirror.close()

    async def retire(self, rollout: Rollout, reason: str) -> None:
        """Stop a version that has no share any more, once its calls have ended; a rival is a server like any other."""
        if rollout.rival:
            return
        with contextlib.suppress(UnknownServer):
            await self._app.runtime.retire(rollout.newcomer, reason)
        self._app.gateway.router.ledger.forget(rollout.newcomer)
        self._app.machine.sandbox.forget(rollout.newcomer)

    async def follow(self, rollout: Rollout, proposal: Proposal) -> None:
        """Have a newcomer take on what was set for its server meanwhile."""
        if self.supervise(rollout, proposal):
            with contextlib.suppress(VsmError):  # the next look finds out
                await self._app.runtime.change_over(rollout.newcomer, "its server was given other settings")

    def _mirror(self, rollout: Rollout) -> Mirror | None:
        if rollout.phase is not Phase.SHADOW:
            return None
        app = self._app
        if rollout.server not in self._mirrors:
            ledger, seconds = app.gateway.router.ledger, app.config.gateway.call_timeout_seconds
            self._mirrors[rollout.server] = Mirror(rollout.newcomer, rollout.stand_ins, app.runtime, ledger, seconds)
        return self._mirrors[rollout.server]

    def _sessions(self, name: str) -> Any:
        try:
            return self._app.runtime.sessions(name)
        except UnknownServer:
            return frozenset()

    def _known(self, name: str) -> Server | None:
        try:
            return self._app.runtime.server(name)
        except UnknownServer:
            return None
