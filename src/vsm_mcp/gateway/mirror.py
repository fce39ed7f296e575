"""Copies of calls to a newcomer that serves nobody yet: bounded, never waited for, the answers compared and dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import VsmError
from vsm_mcp.gateway import results
from vsm_mcp.gateway.upstream import Upstream, result_of
from vsm_mcp.model.ending import ending_of
from vsm_mcp.model.rollout import Mirrored
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.ledger import Ledger
from vsm_mcp.routing.rewrite import rewritten

_AT_ONCE: Final = 4
_PLACES: Final = 50
_LOOKED_AT: Final = ("isError", "structuredContent", "content")


class Mirror:
    """Sends copies to ``newcomer``; how they end is written into ``ledger``, as any call's is. ``found`` sums it up.

    At most four are on their way at a time; what comes meanwhile is not copied. ``seconds`` is how long one may take.
    """

    def __init__(
        self, newcomer: str, stand_ins: Mapping[str, StandIn], upstream: Upstream, ledger: Ledger, seconds: float
    ) -> None:
        self.found = Mirrored()
        self._newcomer = newcomer
        self._stand_ins = stand_ins
        self._upstream = upstream
        self._ledger = ledger
        self._seconds = seconds
        self._copies: set[asyncio.Task[None]] = set()

    def copy(self, tool: str, params: Mapping[str, Raw], served: bytes | Raw) -> None:
        """Send a copy of an answered call, and compare; does not wait."""
        if len(self._copies) >= _AT_ONCE:
            self._count(dropped=1)
            return
        stand_in = self._stand_ins.get(tool)
        sent = params if stand_in is None else rewritten(params, stand_in)
        if sent is None:
            return
        name = tool if stand_in is None else stand_in.tool
        sent = {member: sent[member] for member in ("name", "arguments") if member in sent}
        task = asyncio.get_running_loop().create_task(self._asked(name, sent, bytes(served)))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def close(self) -> None:
        """Give up what is on its way."""
        copies = tuple(self._copies)
        for task in copies:
            task.cancel()
        await asyncio.gather(*copies, return_exceptions=True)

    async def _asked(self, tool: str, params: Mapping[str, Raw], served: bytes) -> None:
        account, began = self._ledger.of(self._newcomer, tool), monotonic()
        try:
            channel = await self._upstream.connection(self._newcomer, self._seconds)
            began = monotonic()
            raw = await result_of(channel.begin("tools/call", params, timeout=self._seconds))
        except VsmError as error:
            account.note(ending_of(error), monotonic() - began)
            self._count(failed=1)
            return
        account.note(results.ending(raw), monotonic() - began)
        places = differences(served, bytes(raw))
        self._count(same=not places, different=bool(places), places=places)

    def _count(
        self, *, same: int = 0, different: int = 0, failed: int = 0, dropped: int = 0, places: tuple[str, ...] = ()
    ) -> None:
        found, where = self.found, dict(self.found.where)
        for place in places:
            if place in where or len(where) < _PLACES:
                where[place] = where.get(place, 0) + 1
        self.found = Mirrored(
            same=found.same + same,
            different=found.different + different,
            failed=found.failed + failed,
            dropped=found.dropped + dropped,
            where=where,
        )


def differences(served: bytes, mirrored: bytes) -> tuple[str, ...]:
    """Return where two results of ``tools/call`` differ, as far as a client would see it; order in objects is nothing.

    ``isError``, ``content`` as a whole, and of ``structuredContent`` the outermost members.
    """
    try:
        one, other = msgspec.json.decode(served), msgspec.json.decode(mirrored)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ("json",)
    if not isinstance(one, dict) or not isinstance(other, dict):
        return ("json",)
    found: list[str] = []
    for member in _LOOKED_AT:
        found += _differing(member, one.get(member) or None, other.get(member) or None)
    return tuple(found)


def _differing(member: str, one: Any, other: Any) -> list[str]:
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        return [f"{member}.{key}"[:80] for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
    return [member]
