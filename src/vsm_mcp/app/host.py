"""What this machine has, as far as looking for servers needs it; asked when it is first needed, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from vsm_mcp.app.machine import node, pythons, runtimes
from vsm_mcp.config import Config
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.registries.addresses import Addresses, read_addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.store import Store

Enter = Callable[[AbstractAsyncContextManager[Any]], Awaitable[Any]]


class Host:
    """The runtimes and the registries of this machine; what has to be closed goes with the caller's stack."""

    def __init__(self, config: Config, store: Store, enter: Enter) -> None:
        self._config = config
        self._store = store
        self._enter = enter
        self._registries: Registries | None = None
        self._web: Web | None = None
        self._reading = asyncio.Lock()
        self._runtimes: dict[str, str] | None = None
        self._pythons: tuple[str, ...] | None = None
        self._node: str | None = None

    def configure(self, config: Config) -> None:
        """Have other settings count for what is made from now on."""
        self._config = config

    async def registries(self) -> Registries:
        """Return the client of the registries as npm, pip and uv are configured here."""
        async with self._reading:  # npm may be asked for its settings: once, however many want to know
            if self._registries is None:
                addresses = await read_addresses(self._config.environ)
                client = Registries(addresses, self._store.cache, max_age=self._config.discovery.cache_seconds)
                self._registries = await self._enter(client)
        return self._registries

    async def web(self) -> Web:
        """Return the network as the sources of candidates share it; nothing is opened before they ask."""
        if self._web is None:
            self._web = web = Web(self._store.cache, self._addresses)
            await self._enter(web)
        return self._web

    async def _addresses(self) -> Addresses:
        return (await self.registries()).addresses

    async def runtimes(self) -> dict[str, str]:
        """Return the versions of python, node, npm and uv."""
        if self._runtimes is None:
            self._runtimes = await runtimes(self._config.environ)
        return self._runtimes

    async def pythons(self) -> tuple[str, ...]:
        """Return the versions of Python here, our own first."""
        if self._pythons is None:
            self._pythons = await pythons(self._config.environ)
        return self._pythons

    async def node(self) -> str:
        """Return the version of Node; empty where there is none."""
        if self._node is None:
            self._node = await node(self._config.environ)
        return self._node
