"""A home, opened to look for servers and for nothing else: a fraction of what :class:`~vsm_mcp.app.App` loads."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final, Self, cast

from vsm_mcp.app import appraisals
from vsm_mcp.app.finding import Finder
from vsm_mcp.app.host import Host
from vsm_mcp.app.operations import Search, read
from vsm_mcp.config import Config
from vsm_mcp.discovery.screen import clean
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit, ignore
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store

_NEED: Final = 500


class Stored:
    """The servers of a home as they are written down; see :class:`~vsm_mcp.app.lookout.Servers`."""

    def __init__(self, servers: Mapping[str, Server], offers: Mapping[str, Offer]) -> None:
        self.servers = servers
        self._offers = offers

    def seen(self, name: str) -> Offer | None:
        """What a server offered last."""
        return self._offers.get(name)


class Looking:
    """Answers ``search`` as an app does; an async context manager.

    Nothing of the home is changed or started; that somebody looked for this is written down.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            self._store = store = await self._stack.enter_async_context(Store(self._config.home))
            servers = {server.name: server for server in await store.servers.all()}
            stored = Stored(servers, await store.servers.offers())
            host = Host(self._config, store, self._stack.enter_async_context)
            self._finder = Finder(self._config, host, stored, store)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def operate(self, operation: str, body: bytes, listener: Emit = ignore) -> dict[str, Any]:
        """Run ``search``; see :meth:`~vsm_mcp.app.application.App.operate`."""
        asked = cast("Search", read(operation, body))
        with contextlib.suppress(VsmError):  # a full disk must not stop a person from looking
            await self._store.demand.record(clean(asked.need, _NEED), "person", met=False)
        found = await self._finder.find(asked.need, Settings(), asked.wants, listener)
        return appraisals.document(asked.need, found, asked.limit)
