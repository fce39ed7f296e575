"""New settings for a running home: read, compared, put into force; or refused as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp import config as configuration
from vsm_mcp.app.changes import Change, How, changes, effective
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.events import ConfigRejected, ConfigReloaded, Emit
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.server import Server, ServerState
from vsm_mcp.runtime.barred import barred
from vsm_mcp.runtime.renewal import Renewal, renewal
from vsm_mcp.runtime.supervisor import Runtime

FILE: Final = "vsm-mcp.toml"
REASON: Final = "its settings changed"
_AT_A_TIME: Final = 10

Configure = Callable[[Config], None]


class Reloader:
    """Puts new settings into force, one set at a time. ``configure`` hands them to every part of the home.

    What cannot be used changes nothing: everything that can fail is tried before anything is changed.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        configure: Configure,
        parts: tuple[Runtime, Fleet, Performer],
        emit: Emit,
        actor: str,
    ) -> None:
        self.lock = asyncio.Lock()
        self._config = config
        self._configure = configure
        self._runtime, self._fleet, self._performer = parts
        self._emit = emit
        self._actor = actor

    async def reload(self, actor: str = "") -> dict[str, Any]:
        """Read the file of settings again; return what became of each change and of each server.

        ``actor`` is in whose name (default: the home's own).

        Raises :class:`ConfigError`, and whatever else
        speaks against the new settings.
        """
        from vsm_mcp.app import access  # noqa: PLC0415 - the gateway's endpoint, which no other command needs

        async with self.lock:
            actor, old = actor or self._actor, self._config()
            action = Action(kind=ActionKind.RELOAD, subject=FILE, actor=actor)
            try:
                new = configuration.load(old.home, old.environ)
                access.check(new.auth)
                found = changes(old, new)
                needed = self._needed(old, effective(old, new), found)
            except VsmError as error:
                await self._performer.refused(action, "settings", error.message)
                self._emit(ConfigRejected(file=FILE, reason=error.message))
                raise
            if not found:
                return document((), dict.fromkeys(needed, "unchanged"))
            detail = ", ".join(change.item for change in found)
            return await self._performer.perform(action, lambda: self._apply(new, found, needed, actor), detail)

    async def renewed(self, needed: Mapping[str, Renewal]) -> dict[str, str]:
        """Have servers take on new settings as they need it; return what became of each. The lock is held."""
        gate = asyncio.Semaphore(_AT_A_TIME)

        async def one(name: str, need: Renewal) -> str:
            async with gate:
                return await self._renewed(name, need)

        results = await asyncio.gather(*(one(name, need) for name, need in needed.items()))
        return dict(zip(needed, results, strict=True))

    async def _apply(
        self, new: Config, found: tuple[Change, ...], needed: Mapping[str, Renewal], actor: str
    ) -> dict[str, Any]:
        self._configure(effective(self._config(), new))
        servers = await self.renewed(needed)
        self._emit(
            ConfigReloaded(
                source=actor,
                changed=tuple(change.item for change in found if change.how is not How.DAEMON),
                restarted=tuple(name for name, result in servers.items() if result == "restarted"),
                waiting=tuple(change.item for change in found if change.how is How.DAEMON),
            )
        )
        return document(found, servers)

    def _needed(self, old: Config, new: Config, found: tuple[Change, ...]) -> dict[str, Renewal]:
        """Return what each server of the catalogue needs. Raises what would keep one from being started."""
        all_anew = any(change.how is How.RESTARTS for change in found)
        supervised = {status.name for status in self._runtime.statuses()}
        needed = {}
        for name, server in self._fleet.servers.items():
            if name in supervised:
                need = self._need(server, old, new)
                needed[name] = Renewal.RESTART if all_anew else need
        return needed

    def _need(self, server: Server, old: Config, new: Config) -> Renewal:
        try:
            before = self._runtime.spec(server, old)
        except VsmError:  # it could not be started as it was: the new settings cannot harm it
            return Renewal.RESTART
        return renewal(before, self._runtime.spec(server, new))

    async def _renewed(self, name: str, need: Renewal) -> str:
        if why := barred(self._runtime.server(name), self._config().policy):
            return await self._barred(name, why)
        if need is Renewal.NOTHING:
            self._runtime.adapt(name)  # how long it may take to stop counts for what runs, too
            return "unchanged"
        if self._runtime.status(name).state is ServerState.STOPPED:
            return "applied"
        if need is Renewal.ADAPT and self._runtime.adapt(name):
            return "applied"
        try:
            await self._runtime.change_over(name, REASON)
        except VsmError as error:
            return f"failed: {error.message}"
        return "restarted"

    async def _barred(self, name: str, why: str) -> str:
        """Stop a server that may not run any more, without waiting for its calls."""
        if self._runtime.status(name).state is ServerState.STOPPED:
            return "unchanged"
        await self._runtime.stop(name, why)
        return f"stopped: {why}"


def document(found: tuple[Change, ...], servers: Mapping[str, str]) -> dict[str, Any]:
    """Return the document of ``reload``."""
    return {
        "changes": [msgspec.to_builtins(change) for change in found],
        "servers": [{"name": name, "result": result} for name, result in servers.items()],
    }
