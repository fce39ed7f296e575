"""What remedies do things with: the processes, the installations and the traffic of one home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.upgrading import Upgrading
from vsm_mcp.autopilot.admission.reinstalling import reinstall
from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.errors import ConfigError, InstallFailed, ServerDown
from vsm_mcp.install import lockfile
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.server import Server
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.runtime.unit import Before, nothing

ACTOR = "health"


class StandIns(Protocol):
    """Who knows which server can do the work of which: the capability map."""

    async def settle(self) -> None:
        """Take in what changed."""
        ...

    def stand_ins(self, server: str, tool: str) -> Sequence[StandIn]:
        """Return who can stand in for a tool of a server, the most alike first."""
        ...


class HomeWard:
    """A :class:`~vsm_mcp.health.remedy.Ward`. ``stand_ins`` gives who knows them now.

    ``well`` says of a server whether it may be given others' work.
    """

    def __init__(
        self,
        home: tuple[Runtime, Fleet, Upgrading],
        stand_ins: Callable[[], StandIns],
        well: Callable[[str], bool],
    ) -> None:
        self._runtime, self._fleet, self._upgrading = home
        self._stand_ins = stand_ins
        self._well = well

    async def change_over(
        self, name: str, reason: str, before: Before = nothing, patience: float | None = None
    ) -> None:
        """See :class:`~vsm_mcp.health.remedy.Ward`."""
        await self._runtime.change_over(name, reason, before, patience)

    async def reinstall(self, name: str) -> str:
        """See :class:`~vsm_mcp.health.remedy.Ward`."""
        server, parts = self._fleet.get(name), self._upgrading.parts()
        locked = await self._locked(server, parts)
        settings = server.settings_with(parts.store.secrets.of(server.acquisition))
        request = Request(
            ref=server.ref, settings=settings, name=name, actor=ACTOR, origin=server.origin, locked=locked
        )
        outcome = await reinstall(parts, request, server)
        if outcome.admitted is None:
            why = outcome.reason.message if outcome.reason is not None else outcome.outcome
            raise InstallFailed(f"it could not be installed again as it was locked: {why}")
        failure = await self._upgrading.changed_over(outcome.admitted)
        if failure is not None:
            raise failure
        return f"{outcome.version} was installed again from the lock, and started"

    async def replace(self, name: str) -> tuple[str, ...]:
        """See :class:`~vsm_mcp.health.remedy.Ward`."""
        known = self._stand_ins()
        await known.settle()
        offer = self._fleet.offers.get(name)
        tools = offer.of(ItemKind.TOOL) if offer is not None else ()
        able = {each.server for tool in tools for each in known.stand_ins(name, tool.name)}
        fit = tuple(sorted(each for each in able if each != name and self._well(each)))
        if not fit:
            raise ServerDown("no other server that is well can do its work", "vsm-mcp acquire one for the same need")
        return fit

    async def _locked(self, server: Server, parts: Parts) -> LockedServer:
        """Return what the lock of the home holds of a server; it was written while its files were whole."""
        path = parts.config.home / lockfile.NAME
        try:
            held = lockfile.loads(path.read_bytes()).servers.get(server.name)
        except (OSError, ConfigError):
            held = None
        if held is not None and (held.version, held.integrity) == (server.version, server.installation.integrity):
            return held
        from vsm_mcp.app.locked import locked_of  # noqa: PLC0415 - what installs, where nothing milder helped

        home = parts.config.environ.get("HOME", "")
        return await locked_of(parts.store, server, home, rehash=False, keep=False)
