"""Calls that wait for a modern client to come back with answers; bounded, and never for ever."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from vsm_mcp.errors import TransportError
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.upstream import Call

SECONDS: Final = 600.0
"""How long a call waits for its client."""

_MAX_PARKED: Final = 1000


class Parked:
    """One call that waits."""

    __slots__ = ("call", "talk", "timer")

    def __init__(self, call: Call, talk: Talk, timer: asyncio.TimerHandle) -> None:
        self.call = call
        self.talk = talk
        self.timer = timer

    def leave(self) -> None:
        """Give the call up."""
        self.timer.cancel()
        self.talk.close()
        self.call.give_up()


class Parking:
    """The calls that wait, by ticket."""

    def __init__(self) -> None:
        self._parked: dict[str, Parked] = {}

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, call: Call, talk: Talk) -> str:
        """Let a call wait; returns its ticket. Raises :class:`TransportError` when too many do."""
        if len(self._parked) >= _MAX_PARKED:
            raise TransportError("too many calls wait for their clients' answers", "answer some, or wait")
        ticket = secrets.token_hex(8)
        timer = asyncio.get_running_loop().call_later(SECONDS, self._expire, ticket)
        self._parked[ticket] = Parked(call, talk, timer)
        talk.rest()
        call.put_off(SECONDS)
        return ticket

    def take(self, ticket: str) -> Parked | None:
        """Return a call that waits, to go on with it; ``None`` when it has gone."""
        parked = self._parked.pop(ticket, None)
        if parked is not None:
            parked.timer.cancel()
        return parked

    def close(self) -> None:
        """Give up every call."""
        for ticket in tuple(self._parked):
            self._expire(ticket)

    def _expire(self, ticket: str) -> None:
        parked = self._parked.pop(ticket, None)
        if parked is not None:
            parked.leave()
