"""Being told what changes at a server: its lists, and single resources that clients asked about.

Specification 2026-07-28, "Subscriptions" (``subscriptions/listen``: one request that stays open); 2025-11-25,
"Resources: Subscriptions" (``resources/subscribe``); list changes were announced unasked before 2026-07-28.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol

from msgspec import Raw

from vsm_mcp.errors import ProtocolError, TransportError, VsmError

_RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_SUBSCRIBE_SECONDS: Final = 30.0
_MAX_URIS: Final = 1000
_KINDS: Final = ("tools", "resources", "prompts")


class Asks(Protocol):
    """What is needed of the connection."""

    era: Any
    capabilities: dict[str, Any]
    closed: asyncio.Future[str]

    async def request(self, method: str, params: Mapping[str, object] | None = None, *, timeout: float) -> Raw:
        """Ask and await the raw result."""
        ...

    def changed(self, kind: str) -> None:
        """Take note that a list may have changed."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the connection does."""
        ...


class Watch:
    """The subscriptions of one connection; their tasks are the connection's."""

    def __init__(self, connection: Asks) -> None:
        self._connection = connection
        self._lists: asyncio.Task[None] | None = None
        self._uris: dict[str, asyncio.Task[None]] = {}

    def lists(self) -> None:
        """Have every list watched that the server announces changes of; once."""
        connection = self._connection
        wanted = change_filter(connection.capabilities)
        if self._lists is None and connection.era == "modern" and wanted and not connection.closed.done():
            self._lists = connection.spawn(self._listen({**wanted}))

    def begin(self, uri: str) -> None:
        """Have one resource watched; does nothing where the server offers no subscriptions, or for too many."""
        resources = self._connection.capabilities.get("resources")
        offered = isinstance(resources, dict) and resources.get("subscribe") is True
        if offered and uri not in self._uris and len(self._uris) < _MAX_URIS and not self._connection.closed.done():
            modern = self._connection.era == "modern"
            work = self._listen({"resourceSubscriptions": [uri]}) if modern else self._subscribe(uri)
            self._uris[uri] = self._connection.spawn(work)

    def end(self, uri: str) -> None:
        """Have one resource watched no longer."""
        task = self._uris.pop(uri, None)
        if task is not None:
            task.cancel()

    async def _subscribe(self, uri: str) -> None:
        """Subscribe in the old way, until cancelled."""
        connection = self._connection
        try:
            await connection.request("resources/subscribe", {"uri": uri}, timeout=_SUBSCRIBE_SECONDS)
            await asyncio.shield(connection.closed)
        except asyncio.CancelledError:
            if not connection.closed.done():
                connection.spawn(self._unsubscribe(uri))
            raise
        except VsmError:
            return

    async def _unsubscribe(self, uri: str) -> None:
        with contextlib.suppress(VsmError):  # it is a courtesy
            await self._connection.request("resources/unsubscribe", {"uri": uri}, timeout=_SUBSCRIBE_SECONDS)

    async def _listen(self, wanted: dict[str, object]) -> None:
        """Keep one subscription open; when it ends, whatever may have been missed counts as changed."""
        clock, attempt = asyncio.get_running_loop().time, 0
        while not self._connection.closed.done():
            began = clock()
            try:
                await self._connection.request("subscriptions/listen", {"notifications": wanted}, timeout=float("inf"))
            except ProtocolError:
                return  # the server declared what it does not have
            except TransportError:
                pass
            if self._connection.closed.done():
                return
            attempt = 0 if clock() - began > _RETRY_SECONDS[-1] else attempt
            await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
            attempt += 1
            for kind in _KINDS:
                if wanted.get(f"{kind}ListChanged"):
                    self._connection.changed(kind)


def change_filter(capabilities: Mapping[str, Any]) -> dict[str, bool]:
    """Return the subscription for every list that the server says it announces changes of.

    Specification 2026-07-28, "Subscriptions": one boolean for each kind of list.
    """
    return {
        f"{kind}ListChanged": True
        for kind in _KINDS
        if isinstance(capabilities.get(kind), dict) and capabilities[kind].get("listChanged") is True
    }
