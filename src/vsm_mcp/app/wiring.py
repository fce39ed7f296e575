"""The parts that belong to this machine rather than to a home: sandbox, registries, installers, checks."""

from __future__ import annotations

from vsm_mcp import plugins
from vsm_mcp.app.host import Enter, Host
from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit
from vsm_mcp.install import used_engines
from vsm_mcp.install.choice import installer_for
from vsm_mcp.install.installer import Bench, Installer
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.spec import CONTAINER, confinement_of
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.engine import engine_environ
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Isolation, Tier
from vsm_mcp.sandbox.tool import run_tool
from vsm_mcp.store import Store
from vsm_mcp.vetting.check import Check


async def open_machine(config: Config, store: Store, enter: Enter, emit: Emit) -> Machine:
    """Test what isolation this machine gives and return its parts; they are closed with the caller's stack."""
    isolation = await probe()
    sandbox = await enter(
        Sandbox(isolation, least=config.sandbox.least_tier, emit=emit, environ=engine_environ(config.environ))
    )
    await used_engines.sweep(config.home, config.environ)
    return Machine(config, store, sandbox, enter)


class Machine(Host):
    """All parts of this machine; what costs time to make (registries, checks) is made when it is first asked for."""

    def __init__(self, config: Config, store: Store, sandbox: Sandbox, enter: Enter) -> None:
        super().__init__(config, store, enter)
        self.sandbox = sandbox
        self._checks: list[Check] | None = None

    def configure(self, config: Config) -> None:
        """Have other settings count for what is made from now on: checks, installers."""
        super().configure(config)
        self._checks = None

    @property
    def isolation(self) -> Isolation:
        """What the self-test found."""
        return self.sandbox.isolation

    @property
    def checks(self) -> list[Check]:
        """The vetting checks, from their entry points."""
        if self._checks is None:
            self._checks = [build(self._config) for build in plugins.load("checks").values()]
        return self._checks

    def tier_of(self, server: Server) -> str:
        """Return the tier that would hold a server; a remote one has no process here."""
        if server.installation.entry.remote:
            return "remote"
        if server.installation.entry.runtime == CONTAINER:
            return str(Tier.CONTAINER)
        settings = server.settings
        try:
            sockets = confinement_of(settings, (), self._config).sockets
        except VsmError:  # its permission profile cannot be had, so it is not started
            return str(self.isolation.tier)
        return str(self.isolation.holding(sockets=sockets, unsandboxed=settings.allow_unsandboxed))

    async def installer(self, ref: Ref) -> Installer:
        """Return the installer for a reference. Raises :class:`InstallFailed` for a kind it has not."""
        run_sandboxed = None if self.isolation.tier is Tier.NONE else self.sandbox.run
        registries = await self.registries()
        bench = Bench(config=self._config, registries=registries, run_tool=run_tool, run_sandboxed=run_sandboxed)
        return installer_for(ref, bench)
