"""What the installations of a home take on disk: whose turn it is, the quota, and what goes by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from vsm_mcp.config import Config
from vsm_mcp.errors import HomeError
from vsm_mcp.events import Emit, SpaceFreed
from vsm_mcp.install.collection import collect, empty_caches
from vsm_mcp.install.quota import Quota
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.turns import Turns
from vsm_mcp.store import Store


class Storage:
    """The disk of one home. ``in_use`` returns the paths of what runs."""

    def __init__(
        self,
        config: Config,
        store: Store,
        installations: Installations,
        in_use: Callable[[], Collection[str]],
        emit: Emit,
    ) -> None:
        self.turns = Turns(config.home, config.install.at_once)
        self.quota = Quota(config.home, config.install.quota_bytes)
        self._config = config
        self._store = store
        self._installations = installations
        self._in_use = in_use
        self._emit = emit

    def configure(self, config: Config) -> None:
        """Have other settings count from now on."""
        self._config = config
        self.turns.at_once = config.install.at_once
        self.quota.limit = config.install.quota_bytes

    async def opened(self) -> None:
        """Remove what earlier daemons left that nobody needs; call it before anything is installed."""
        await self._collect(self._installations.servers(), alone=True)

    async def activated(self, server: str) -> None:
        """Remove the old versions of a server that has a new one; caches only when nothing else is installed."""
        await self._collect((server,), alone=self.turns.working <= 1)

    async def _collect(self, servers: Iterable[str], *, alone: bool) -> None:
        """Never fails: what resists goes another time."""
        back = (await self._store.previous.all()).values()
        named = {each.installation.path for each in (*await self._store.servers.all(), *back)}
        for saga in await self._store.sagas.waiting():  # an upgrade that waits for a person
            named.add(str(self._installations.path(saga.plan.server, saga.plan.version)))
        try:
            found = await collect(self._installations, servers, named, self._in_use())
            caches = await empty_caches(self._config.home, self._config.install.cache_bytes) if alone else 0
        except HomeError:
            return
        if found.versions or caches:
            self._emit(SpaceFreed(versions=found.versions, installations_bytes=found.size, cache_bytes=caches))
