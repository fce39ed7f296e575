"""The registries of MCP servers as a source: a copy of each is looked through here; the need goes nowhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from vsm_mcp.discovery.mcp_registry import copy as copies
from vsm_mcp.discovery.mcp_registry.copy import Copy
from vsm_mcp.discovery.mcp_registry.walk import Walker
from vsm_mcp.discovery.network.get import host
from vsm_mcp.discovery.network.limits import Limits, limits_of, patient
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.discovery.source import Context, SourceOff, SourceState
from vsm_mcp.errors import SourceUnavailable, VsmError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.counted import counted
from vsm_mcp.model.discovery import McpRegistry
from vsm_mcp.registries.addresses import shown

_BACKGROUND_SECONDS: Final = 900.0


class Registry:
    """One registry of servers with its copy."""

    def __init__(self, web: Web, base: str, limits: Limits) -> None:
        self.base = base
        self.trouble = ""
        self._web = web
        self._limits = limits
        self._copy: Copy | None = None
        self._walking = asyncio.Lock()

    async def copy(self) -> Copy:
        """Return what is known of the list, from disk when it is first needed."""
        if self._copy is None:
            found = await self._web.cache.get(self._key)
            read = await asyncio.to_thread(copies.unpack, found[0] if found is not None else None)
            self._copy = self._copy or read
        return self._copy

    @property
    def _key(self) -> str:
        return f"mcp-registry {shown(self.base)}"

    async def renew(self, seconds: float, limits: Limits) -> None:
        """Bring the copy up to date as far as that goes in so many seconds; :attr:`trouble` says why it is not."""
        if self._walking.locked():
            self.trouble = "it is being read"
            return
        async with self._walking:
            copy = await self.copy()
            walker = Walker(self._web, self.base, await self._bases())
            try:
                async with asyncio.timeout(seconds):
                    await walker.walk(copy, limits, self._save)
                self.trouble = ""
            except TimeoutError:
                self.trouble = "it is not read to its end yet"
            except VsmError as error:
                self.trouble = error.message
            finally:
                await self._save()

    def fresh(self, copy: Copy, now: float) -> bool:
        """Whether the copy counts without a question."""
        return now - copy.walked <= self._limits.keep

    async def _save(self) -> None:
        packed = await asyncio.to_thread(copies.pack, await self.copy())
        await self._web.cache.put(self._key, packed)

    async def _bases(self) -> frozenset[str] | None:
        """The official registry lists public packages; any other may mean private ones of its own."""
        if host(self.base) in {host(url) for url in McpRegistry().urls}:
            return None
        addresses = await self._web.addresses()
        urls = (addresses.npm, addresses.pypi_index, *addresses.npm_scopes.values(), *addresses.pypi_extra)
        return frozenset(name for url in urls if (name := urlsplit(url).hostname))


class McpRegistrySource:
    """See the module."""

    name = "mcp-registry"
    state = SourceState.OK
    remote = True
    detail = ""

    def __init__(self, matcher: Matcher, web: Web, urls: tuple[str, ...], limits: Limits) -> None:
        self._matcher = matcher
        self._limits = limits
        self._registries = [Registry(web, url.rstrip("/"), limits) for url in urls]

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return the servers on the lists that share words with the need; what is too old is renewed first.

        Raises :class:`SourceOff`, and :class:`SourceUnavailable` when nothing is known and no registry answers.
        """
        if not self._registries:
            raise SourceOff("no registry is named", "[discovery.mcp_registry] urls")
        query = self._matcher.need(need).query
        found = await asyncio.gather(*(self._search(each, query, limit) for each in self._registries))
        troubles = [f"{host(each.base)}: {each.trouble}" for each in self._registries if each.trouble]
        empty = [not (await each.copy()).entries for each in self._registries]
        if all(empty) and troubles:
            raise SourceUnavailable("; ".join(troubles))
        self.state = SourceState.STALE if troubles else SourceState.OK
        self.detail = "; ".join(troubles)
        return [candidate for some in found for candidate in some][:limit]

    async def _search(self, registry: Registry, query: Mapping[str, float], limit: int) -> list[Candidate]:
        copy = await registry.copy()
        if not registry.fresh(copy, time.time()):
            await registry.renew(self._limits.timeout, self._limits)
        elif registry.trouble:
            registry.trouble = ""
        return await asyncio.to_thread(copy.search, query, limit)

    async def refresh(self) -> str:
        """Bring every copy up to date. Raises :class:`SourceUnavailable`, naming those that could not be."""
        limits = patient(self._limits)
        await asyncio.gather(*(each.renew(_BACKGROUND_SECONDS, limits) for each in self._registries))
        troubles = [f"{host(each.base)}: {each.trouble}" for each in self._registries if each.trouble]
        if troubles:
            raise SourceUnavailable("; ".join(troubles))
        count = sum([len((await each.copy()).entries) for each in self._registries])
        return counted(count, "servers")


def build(context: Context) -> McpRegistrySource:
    """Build the source (entry point ``vsm_mcp.sources: mcp-registry``)."""
    settings = context.config.discovery
    return McpRegistrySource(context.matcher, context.network, settings.mcp_registry.urls, limits_of(settings))
