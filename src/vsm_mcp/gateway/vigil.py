"""Looks after requests that take long: one timer for all of them, and none while there are none."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Slow(Protocol):
    """A request that may take long."""

    def ping(self) -> None:
        """Say something, so that nobody on the way takes the silence for the end."""
        ...


class Vigil:
    """The requests that wait for a server. Each is pinged every ``silence`` seconds, first after twice that at most."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._fresh: set[Slow] = set()
        self._old: set[Slow] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._fresh) + len(self._old)

    def enter(self, request: Slow) -> None:
        """Look after a request."""
        self._fresh.add(request)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._silence, self._look)

    def leave(self, request: Slow) -> None:
        """Take note that it is answered."""
        self._fresh.discard(request)
        self._old.discard(request)

    def _look(self) -> None:
        for request in tuple(self._old):
            request.ping()
        self._old |= self._fresh
        self._fresh = set()
        waiting = bool(self._old)
        self._timer = asyncio.get_running_loop().call_later(self._silence, self._look) if waiting else None
