"""``vsm-mcp set``: other settings for a server that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from vsm_mcp.app import views
from vsm_mcp.app.finding import Finder
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.reloading import Reloader
from vsm_mcp.autopilot.alter import Altered, Wish, alter, differences, widened
from vsm_mcp.autopilot.grants import check_project, with_named_paths
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config
from vsm_mcp.errors import ServerDown, VsmError
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.permissions import permitted, profile_of
from vsm_mcp.runtime.renewal import renewal
from vsm_mcp.runtime.spec import network_of
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.store import Store

Check = Callable[[Settings, str, Ref], None]
"""Raises :class:`BadArgument` where a server cannot be run with some settings."""


class Altering:
    """Changes the settings of single servers; ``parts`` are the home's."""

    def __init__(
        self,
        config: Callable[[], Config],
        parts: tuple[Runtime, Fleet, Performer, Store],
        finder: Finder,
        reloader: Reloader,
        check: Check,
        actor: str,
    ) -> None:
        self._config = config
        self._runtime, self._fleet, self._performer, self._store = parts
        self._finder = finder
        self._reloader = reloader
        self._check = check
        self._actor = actor

    async def set(
        self,
        name: str,
        settings: Settings | None = None,
        fields: tuple[str, ...] = (),
        clear: tuple[str, ...] = (),
        *,
        yes: bool = False,
    ) -> dict[str, Any]:
        """Give a server those ``fields`` of ``settings``, after emptying the ones in ``clear``.

        What runs takes them on, with a new start where it has to; if it does not come up with them, everything is as
        it was before. Raises :class:`UnknownServer`, :class:`BadArgument`, :class:`PolicyDenied`,
        :class:`ApprovalNeeded`, :class:`ServerDown`.
        """
        async with self._reloader.lock:
            server = self._fleet.get(name)
            secrets = self._store.secrets.of(server.acquisition)
            wish = Wish(settings=settings or Settings(), fields=fields, clear=clear)
            known = self._finder.known(server.ref)
            altered = self._with_paths(alter(server, secrets, wish, known.launch if known else None))
            found = differences(server, secrets, altered)
            if not found:
                return {"name": name, "changes": [], "result": "unchanged"}
            facts: dict[str, str | bool | float] = {
                "ref": str(server.ref),
                "approved": yes,
                **widened(server, secrets, altered, self._config()),
            }
            self._check(altered.server.settings, name, server.ref)
            action = Action(kind=ActionKind.CHANGE, subject=name, actor=self._actor, facts=facts)
            detail = ", ".join(each["item"] for each in found)
            result = await self._performer.perform(action, lambda: self._apply(server, secrets, altered), detail)
            return {"name": name, "changes": views.masked_changes(found), "result": result}

    def _with_paths(self, altered: Altered) -> Altered:
        settings, config = altered.server.settings, self._config()
        home, private = config.environ.get("HOME", "/root"), (str(config.home),)
        profile = profile_of(settings, config)
        network_of(permitted(settings, profile))
        if profile.wants_project:
            check_project(settings, home, private)
        if altered.launch is None:
            return altered
        opened = with_named_paths(settings, altered.launch, home, private, profile.named_paths)
        return msgspec.structs.replace(altered, server=msgspec.structs.replace(altered.server, settings=opened))

    async def _apply(self, before: Server, secrets: dict[str, str], altered: Altered) -> str:
        old = self._runtime.spec(before)
        await self._put(altered.server, altered.secrets)
        if before.quarantined:
            return "applied"
        try:
            need = renewal(old, self._runtime.spec(altered.server))
            result = (await self._reloader.renewed({before.name: need}))[before.name]
            if result.startswith("failed"):
                raise ServerDown(f"with these settings, {result.removeprefix('failed: ')}", "it runs as before")
        except VsmError:
            await self._put(before, secrets)
            await self._runtime.change_over(before.name, "its settings are as before")
            raise
        return "applied" if result == "unchanged" else result

    async def _put(self, server: Server, secrets: dict[str, str]) -> None:
        self._store.secrets.put(server.acquisition, secrets)
        await self._store.servers.put(server)
        await self._fleet.refresh(server.name)
        if not server.quarantined and server.enabled:
            self._runtime.add(server)
