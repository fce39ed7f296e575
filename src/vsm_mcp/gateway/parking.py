"""Calls that wait for a modern client to come back with answers; bounded, and never for ever."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from vsm_mcp.errors import TransportError
from vsm_mcp.gateway.asked import Asked

SECONDS: Final = 600.0
"""How long a call waits for its client."""

_PATIENCE_SECONDS: Final = 60.0
_MAX_PARKED: Final = 1000


class Parking:
    """The calls that wait, by ticket."""

    def __init__(self) -> None:
        self._parked: dict[str, tuple[Asked, asyncio.TimerHandle]] = {}  # the one that waits longest is first

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, asked: Asked) -> str:
        """Let a call wait; returns its ticket. Raises :class:`TransportError`, and gives it up, when too many do."""
        if len(self._parked) >= _MAX_PARKED:
            asked.close()
            raise TransportError("too many calls wait for their clients' answers", "answer some, or wait")
        ticket = secrets.token_hex(8)
        timer = asyncio.get_running_loop().call_later(SECONDS, self._expire, ticket)
        self._parked[ticket] = (asked, timer)
        asked.talk.rest()
        asked.call.put_off(SECONDS)
        return ticket

    def take(self, ticket: str) -> Asked | None:
        """Return a call that waits, to go on with it; ``None`` when it has gone."""
        asked, timer = self._parked.pop(ticket, (None, None))
        if timer is not None:
            timer.cancel()
        return asked

    def abandon(self, server: str) -> bool:
        """Give up the call at ``server`` that waits longest, if its client had time to answer; says whether one was."""
        latest = asyncio.get_running_loop().time() + SECONDS - _PATIENCE_SECONDS
        for ticket, (asked, timer) in self._parked.items():
            if asked.route.server == server and asked.lease is not None and timer.when() <= latest:
                self._expire(ticket)
                return True
        return False

    def close(self) -> None:
        """Give up every call."""
        for ticket in tuple(self._parked):
            asked = self.take(ticket)
            if asked is not None:
                asked.close()

    def _expire(self, ticket: str) -> None:
        asked = self.take(ticket)
        if asked is not None:
            asked.close()
