"""Asking one process what it offers: at its start, when it says that this changed, now and then while it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from vsm_mcp.errors import VsmError
from vsm_mcp.model.definition import Offer
from vsm_mcp.runtime.role import Listeners, Role, Rules
from vsm_mcp.wire.connection import Connection

_BETWEEN_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 10.0


class Lister:
    """Keeps what one connection offers in view for as long as :meth:`run` runs.

    The process whose role it is to list says what the server offers; every other one is only compared with that, so
    that none can turn unseen. Of a session's process the first listing is the server's where nothing else runs: what it
    changes later is that session's. ``said`` is told why a listing failed, or that it did not.
    """

    def __init__(
        self,
        connection: Connection,
        role: Role,
        rules: Callable[[], Rules],
        listeners: Listeners,
        said: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._role = role
        self._rules = rules
        self._listeners = listeners
        self._said = said
        self._stale = asyncio.Event()
        self._calls = 0
        self._listed = False

    async def run(self) -> None:
        """List until cancelled; a failure leaves the last answer."""
        connection = self._connection
        self._calls = connection.tally.calls
        if self._role.lists:
            self._stale.set()
        connection.on_change = lambda _kind: self._stale.set()
        while True:
            await self._due()
            self._stale.clear()
            self._calls = connection.tally.calls
            try:
                offer = await connection.offer(self._rules().list_timeout)
            except VsmError as error:
                if self._role.lists:
                    self._said(f"its tools could not be listed: {error.message}")
                self._stale.set()
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if self._role.lists:
                    self._said("")
                self._hear(offer)
            await asyncio.sleep(_BETWEEN_SECONDS)

    def _hear(self, offer: Offer) -> None:
        if self._role.lists and not (self._role.session and self._listed):
            self._listeners.offered(offer)
        else:
            self._listeners.compared(offer)
        self._listed = True

    async def _due(self) -> None:
        """Wait until the last listing may not hold any more; that of a server that nobody calls harms nobody."""
        while True:
            try:
                async with asyncio.timeout(self._rules().relist_seconds or None):
                    await self._stale.wait()
            except TimeoutError:
                if self._connection.tally.calls == self._calls:
                    continue
            return
