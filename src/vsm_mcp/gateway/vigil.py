"""Looks after requests that take long: one timer for all of them, and none while there are none."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final, Protocol

AFTER_SECONDS: Final = 0.05
"""After this long a request is slow enough to be worth a task that watches for its client's leaving."""


class Slow(Protocol):
    """A request that may turn out to be slow."""

    def watch(self) -> None:
        """Begin to watch for the client's leaving."""
        ...


class Vigil:
    """The requests that wait for a server and are not watched yet."""

    def __init__(self) -> None:
        self._since: dict[Slow, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, request: Slow) -> None:
        """Watch ``request`` from :data:`AFTER_SECONDS` (at most twice that) on, unless it has left by then."""
        self._since[request] = monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(AFTER_SECONDS, self._look)

    def leave(self, request: Slow) -> None:
        """Take note that it is answered."""
        self._since.pop(request, None)

    def _look(self) -> None:
        now = monotonic()
        for request in [request for request, since in self._since.items() if now - since >= AFTER_SECONDS]:
            del self._since[request]
            request.watch()
        waiting = bool(self._since)
        self._timer = asyncio.get_running_loop().call_later(AFTER_SECONDS, self._look) if waiting else None
