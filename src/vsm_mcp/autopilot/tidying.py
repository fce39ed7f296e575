"""What is left once a new version has reached the catalogue: the one in service, the one before, what waits."""

from __future__ import annotations

from collections.abc import Collection

from vsm_mcp.errors import UnknownServer
from vsm_mcp.install.transaction import Installations
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Plan


class Tidying:
    """Removes what nobody can go back to any more. Everything here is idempotent and needs only the plan.

    ``used`` are the paths of installations of which something runs: they stay, until the next collection.
    """

    def __init__(self, store: Store, installations: Installations, used: Collection[str] = ()) -> None:
        self._store = store
        self._installations = installations
        self._used = used

    async def after(self, plan: Plan) -> None:
        """Do it after what was planned: files of older versions, and secrets of theirs."""
        try:
            server = await self._store.servers.get(plan.server)
        except UnknownServer:
            return
        previous = await self._store.previous.of(plan.server)
        kept = [server, *([previous] if previous is not None else [])]
        for acquisition in plan.superseded:
            if acquisition and acquisition not in {each.acquisition for each in kept}:
                self._store.secrets.remove(acquisition)
        versions = {each.installation.version for each in kept}
        versions |= {saga.plan.version for saga in await self._store.sagas.ready()}
        for version in self._installations.versions(plan.server):
            if version not in versions and str(self._installations.path(plan.server, version)) not in self._used:
                await self._installations.discard(plan.server, version)
        await self._installations.unstage(plan.server, plan.version)
