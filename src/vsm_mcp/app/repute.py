"""How well tools did here, for those who rank them: what is kept, and what the ledger has counted since."""

from __future__ import annotations

import time
from typing import Final

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.newcomer import server_of
from vsm_mcp.model.tool_experience import ToolExperience
from vsm_mcp.routing.ledger import BOUNDS, Account, Ledger, Reader
from vsm_mcp.routing.ledger import Key as Asked
from vsm_mcp.store.tool_experience import Key, ToolExperiences

_NOTHING: Final = ToolExperience()
_WORTH: Final = tuple(1.0 / (1.0 + bound) for bound in (*BOUNDS, 2 * BOUNDS[-1]))


class Repute:
    """Says what the text match of a tool is to be multiplied by, from experience; puts what is new into the store.

    The ledger names a server's newcomer ``NAME@VERSION``: what it does is of the same server.
    """

    def __init__(self, store: ToolExperiences, fleet: Fleet, ledger: Ledger) -> None:
        self._store = store
        self._fleet = fleet
        self._calls = Reader(ledger)
        self._known: dict[Key, ToolExperience] = {}
        self._waiting: dict[Key, ToolExperience] = {}

    async def load(self) -> None:
        """Read what is kept."""
        self._known = await self._store.all(time.time())

    def factor(self, server: str, tool: str) -> float:
        """Return what the score of a tool is multiplied by; 1.0 where nothing was seen of it."""
        known = self._known.get((self._identity(server), tool), _NOTHING)
        more = self._calls.unread((server, tool))
        if more is not None:
            known += _said_by(more)
        return known.factor

    def count(self, name: str) -> None:
        """Take in what the ledger counted of one server since the last time; to be done before that is forgotten."""
        for asked, counted in self._calls.news(name):
            self._take(asked, _said_by(counted))

    async def write(self) -> None:
        """Put into the store what was seen since the last time; what cannot be written is kept for the next time."""
        for asked, counted in self._calls.news():
            self._take(asked, _said_by(counted))
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await self._store.add(waiting, time.time())
        except BaseException:
            for key, more in waiting.items():
                self._waiting[key] = self._waiting.get(key, _NOTHING) + more
            raise

    def _take(self, asked: Asked, more: ToolExperience) -> None:
        identity = self._identity(asked[0])
        if identity and _is_tool(asked[1]) and more.calls:
            key = (identity, asked[1])
            for kept in (self._known, self._waiting):
                kept[key] = kept.get(key, _NOTHING) + more

    def _identity(self, server: str) -> str:
        found = self._fleet.servers.get(server) or self._fleet.servers.get(server_of(server))
        return "" if found is None else found.ref.identity


def _is_tool(name: str) -> bool:
    """Whether an account is of a tool: that of another request has its method's name, the rest of a server none."""
    return bool(name) and "/" not in name


def _said_by(account: Account) -> ToolExperience:
    endings = account.endings
    return ToolExperience(
        answered=endings[Ending.ANSWERED],
        tool_errors=endings[Ending.TOOL_ERROR],
        refused=endings[Ending.REFUSED],
        faults=account.faults,
        quick=sum(count * worth for count, worth in zip(account.buckets, _WORTH, strict=True)),
    )
