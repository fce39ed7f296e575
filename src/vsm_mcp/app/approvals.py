"""``approve`` and ``deny``: what waits for a person, by the name of its server or by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.pinning import Pinning
from vsm_mcp.app.upgrading import Upgrading, unknown
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Saga

State = Callable[[str], dict[str, Any]]


class Approvals:
    """What a person says yes or no to: held-back servers, frozen items, upgrades that are ready."""

    def __init__(
        self,
        parts: tuple[Fleet, Performer, Store],
        waiting: tuple[Pinning, Upgrading],
        supervise: Callable[[Server], None],
        state: State,
        actor: str,
    ) -> None:
        self._fleet, self._performer, self._store = parts
        self._pinning, self._upgrading = waiting
        self._supervise = supervise
        self._state = state
        self._actor = actor

    async def beside(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rows about servers, each with what of it waits: ``frozen`` items, and an upgrade by its id.

        ``denied`` is what of it somebody said no to: of the frozen items, or a held-back server as a whole.
        """
        ready = {saga.plan.server: saga.id for saga in await self._store.sagas.waiting()}
        return [{**row, **self._held(row["name"]), "waiting": ready.get(row["name"], "")} for row in rows]

    async def approve(self, name: str, items: tuple[str, ...] = ()) -> dict[str, Any]:
        """Let in what waits: a held-back server, frozen ``items`` of a served one (all), or an upgrade by its id.

        What changed is vetted again before; what was denied has to be named. Raises :class:`VettingRejected`,
        :class:`PolicyDenied`, :class:`BadArgument`, :class:`NotFound`.
        """
        server, saga = await self._meant(name)
        if saga is not None:
            if items:
                raise BadArgument("an upgrade has no items to choose from", "approve it as a whole")
            return await self._upgrading.agree(saga)
        if server is None:
            raise unknown(name)
        keys = self._pinning.chosen(server.name, items)
        denied = self._fleet.denied(server.name)
        if denied and not keys and not server.quarantined:
            hint = f"vsm-mcp approve {server.name} --item {denied[0]} lets it in nonetheless"
            raise BadArgument(f"what is frozen of {server.name} was denied: {', '.join(denied)}", hint)
        facts: dict[str, str | bool | float] = {"ref": str(server.ref), "approved": True}
        facts["pins_denied"] = self._pinning.barring(server.name, keys)
        action = Action(kind=ActionKind.APPROVE, subject=server.name, actor=self._actor, facts=facts)
        let_in, named = lambda: self._let_in(server, keys), ", ".join(keys)
        warnings = await self._performer.perform(action, let_in, named, server.acquisition)
        self._supervise(self._fleet.get(server.name))
        return {**self._state(server.name), "approved": list(keys), "warnings": list(warnings)}

    async def deny(self, name: str, items: tuple[str, ...] = ()) -> dict[str, Any]:
        """Say no: an upgrade that waits is undone; frozen ``items`` (all) stay frozen, a held-back server stays out.

        Nobody is asked about them again. ``ways`` are the commands that lead on. Raises :class:`BadArgument`, and
        :class:`NotFound` where nothing waits.
        """
        server, saga = await self._meant(name)
        if saga is not None:
            if items:
                raise BadArgument("an upgrade has no items to choose from", "deny it as a whole")
            return await self._upgrading.drop(saga)
        if server is None or not (items or self._waits(server)):
            raise unknown(name)
        keys = self._pinning.chosen(server.name, items)
        action = Action(kind=ActionKind.DENY, subject=server.name, actor=self._actor, facts={"ref": str(server.ref)})
        named = ", ".join(keys)
        await self._performer.perform(action, lambda: self._keep_out(server, keys), named, server.acquisition)
        what = "server" if server.quarantined else "items"
        ways = await self._ways(server, keys)
        return {"name": server.name, "id": server.acquisition, "denied": what, "items": list(keys), "ways": ways}

    async def _meant(self, ident: str) -> tuple[Server | None, Saga | None]:
        """Return the server of a name or an acquisition; an upgrade only where that is what waits under it."""
        servers = self._fleet.servers
        server = servers.get(ident) or next((each for each in servers.values() if each.acquisition == ident), None)
        saga = await self._upgrading.waiting(ident)
        upgrade = saga is not None and (server is None or saga.id == ident or not self._waits(server))
        return server, saga if upgrade else None

    def _waits(self, server: Server) -> bool:
        """Whether somebody has to say yes or no about a server itself, or some of its items."""
        held_back = server.quarantined and server.whole not in server.denied
        return held_back or bool(self._pinning.waiting(server.name))

    def _held(self, name: str) -> dict[str, list[str]]:
        server = self._fleet.servers.get(name)
        whole = [server.whole] if server is not None and server.quarantined and server.whole in server.denied else []
        return {"frozen": list(self._fleet.frozen.get(name, ())), "denied": [*whole, *self._fleet.denied(name)]}

    async def _ways(self, server: Server, keys: tuple[str, ...]) -> list[str]:
        name = server.name
        if server.quarantined:
            return [f"vsm-mcp remove {name}", f"vsm-mcp approve {name}"]
        back = [f"vsm-mcp rollback {name}"] if await self._store.previous.of(name) is not None else []
        return [*back, f"vsm-mcp remove {name}", *(f"vsm-mcp approve {name} --item {key}" for key in keys[:1])]

    async def _keep_out(self, server: Server, keys: tuple[str, ...]) -> None:
        if server.quarantined:
            await self._store.servers.deny(server.name, {server.whole: server.acquisition})
        await self._pinning.deny(server.name, keys)

    async def _let_in(self, server: Server, keys: tuple[str, ...]) -> tuple[str, ...]:
        warnings = await self._pinning.accept(server.name, keys) if keys else ()
        if server.quarantined:
            now = await self._store.servers.get(server.name)
            denied = {key: said for key, said in now.denied.items() if key != now.whole}
            await self._store.servers.put(msgspec.structs.replace(now, quarantined=False, denied=denied))
            await self._fleet.refresh(server.name)
        return warnings
