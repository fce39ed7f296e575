"""Brings a copy up to date: pages with cursors, from where the last walk was left off.

Source: the registry's API, ``GET /v0.1/servers`` (``limit``, ``cursor``, ``updated_since``, ``version``); ``/v0/``
before October 2025. The names of the next page's cursor are ``nextCursor`` and, in older ones, ``next_cursor``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from vsm_mcp.discovery.loose import first, table, text
from vsm_mcp.discovery.mcp_registry.copy import Copy, Entry, entry_of
from vsm_mcp.discovery.mcp_registry.server_json import Listed, listed
from vsm_mcp.discovery.network.get import host
from vsm_mcp.discovery.network.limits import Limits
from vsm_mcp.discovery.network.web import Declined, NotThere, Web
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.model.moments import stamp

_VERSIONS: Final = ("v0.1", "v0")
_PAGE: Final = 100
_MOST_PAGES: Final = 2_000
_SAVED_EVERY: Final = 20

Save = Callable[[], Awaitable[None]]


class Page(msgspec.Struct, frozen=True):
    """One page: what it lists, and the next page's cursor (``""``: none)."""

    servers: tuple[tuple[Listed, Entry], ...]
    cursor: str


class Walker:
    """Walks one registry. ``base`` is its address; ``bases`` as :func:`listed` has them."""

    def __init__(self, web: Web, base: str, bases: frozenset[str] | None) -> None:
        self._web = web
        self._base = base.rstrip("/")
        self._bases = bases
        self._version = _VERSIONS[0]

    async def walk(self, copy: Copy, limits: Limits, save: Save) -> None:
        """Bring ``copy`` up to date, saving it now and then. Raises :class:`SourceUnavailable` part of the way."""
        copy.begin(time.time())
        met: set[str] = set()
        for pages in range(1, _MOST_PAGES + 1):
            page = await self._page(copy, limits)
            for server, entry in page.servers:
                copy.take(server, entry)
            copy.cursor = page.cursor
            if not page.cursor:
                copy.finish()
                return
            if page.cursor in met:
                copy.cursor = ""
                raise SourceUnavailable(f"{host(self._base)} lists its pages in a circle")
            met.add(page.cursor)
            if pages % _SAVED_EVERY == 0:
                await save()
        raise SourceUnavailable(f"{host(self._base)} has more than {_MOST_PAGES} pages")

    async def _page(self, copy: Copy, limits: Limits) -> Page:
        asked = {"limit": str(_PAGE), "version": "latest"}
        if copy.since:
            asked["updated_since"] = stamp(datetime.fromtimestamp(copy.since, UTC))
        if copy.cursor:
            asked["cursor"] = copy.cursor
        try:
            return await self._get(urlencode(asked), limits)
        except Declined:
            copy.cursor = ""  # the cursor of a walk that was left off may mean nothing any more
            raise
        except NotThere as error:
            raise SourceUnavailable(f"{host(self._base)} is no registry of servers: {error.message}") from error

    async def _get(self, query: str, limits: Limits) -> Page:
        try:
            return await self._web.get(f"{self._base}/{self._version}/servers?{query}", self._read, limits)
        except NotThere:
            if self._version == _VERSIONS[-1]:
                raise
            page = await self._web.get(f"{self._base}/{_VERSIONS[-1]}/servers?{query}", self._read, limits)
            self._version = _VERSIONS[-1]
            return page

    def _read(self, body: bytes) -> Page:
        document: Any = msgspec.json.decode(body)
        if not isinstance(document["servers"], list):
            raise TypeError
        found = [each for item in document["servers"] if (each := listed(item, self._bases)) is not None]
        cursor = text(first(table(document.get("metadata")), "nextCursor", "next_cursor"))
        return Page(tuple((each, entry_of(each)) for each in found), cursor)
