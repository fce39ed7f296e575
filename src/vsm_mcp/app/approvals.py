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
        """Return rows about servers, each with what waits: ``frozen`` items, an upgrade by its id, its rollout."""
        ready = {saga.plan.server: saga.id for saga in await self._store.sagas.waiting()}
        frozen, gradual = self._fleet.frozen, self._upgrading.gradual
        return [
            {
                **row,
                "frozen": list(frozen.get(row["name"], ())),
                "waiting": ready.get(row["name"], ""),
                "rollout": None if gradual is None else await gradual.of(row["name"]),
            }
            for row in rows
        ]

    async def approve(self, name: str, items: tuple[str, ...] = ()) -> dict[str, Any]:
        """Let in what waits: a held-back server, frozen ``items`` of a served one (all), or an upgrade by its id.

        What changed is vetted again before. Raises :class:`VettingRejected`, :class:`PolicyDenied`,
        :class:`BadArgument`, :class:`NotFound`.
        """
        server = self._server(name)
        saga = await self._upgrading.waiting(name)
        if saga is not None and (server is None or saga.id == name or self._idle(server)):
            if items:
                raise BadArgument("an upgrade has no items to choose from", "approve it as a whole")
            return await self._upgrading.agree(saga)
        if server is None:
            raise unknown(name)
        keys = self._pinning.chosen(server.name, items)
        facts: dict[str, str | bool | float] = {"ref": str(server.ref), "approved": True}
        facts["pins_denied"] = self._pinning.barring(server.name, keys)
        action = Action(kind=ActionKind.APPROVE, subject=server.name, actor=self._actor, facts=facts)
        warnings = await self._performer.perform(action, lambda: self._let_in(server, keys), ", ".join(keys))
        self._supervise(self._fleet.get(server.name))
        return {**self._state(server.name), "approved": list(keys), "warnings": list(warnings)}

    async def deny(self, name: str) -> dict[str, Any]:
        """Say no: an upgrade that waits is undone; frozen items stay frozen, a held-back server stays out.

        Raises :class:`NotFound` where nothing waits.
        """
        server, saga = self._server(name), await self._upgrading.waiting(name)
        if saga is not None and (server is None or saga.id == name or self._idle(server)):
            return await self._upgrading.drop(saga)
        if server is None or self._idle(server):
            raise unknown(name)
        keys = self._fleet.frozen.get(server.name, ())
        what = "server" if server.quarantined else "items"
        action = Action(kind=ActionKind.DENY, subject=server.name, actor=self._actor, facts={"ref": str(server.ref)})
        await self._performer.clear(action, ", ".join(keys))
        return {"name": server.name, "id": server.acquisition, "denied": what, "items": list(keys)}

    def _server(self, ident: str) -> Server | None:
        """Return the server that is meant by its name, or by the id of its acquisition."""
        servers = self._fleet.servers
        return servers.get(ident) or next((each for each in servers.values() if each.acquisition == ident), None)

    def _idle(self, server: Server) -> bool:
        """Whether nothing of a server itself waits."""
        return not server.quarantined and not self._fleet.frozen.get(server.name)

    async def _let_in(self, server: Server, keys: tuple[str, ...]) -> tuple[str, ...]:
        warnings = await self._pinning.accept(server.name, keys) if keys else ()
        if server.quarantined:
            now = await self._store.servers.get(server.name)
            await self._store.servers.put(msgspec.structs.replace(now, quarantined=False))
            await self._fleet.refresh(server.name)
        return warnings
