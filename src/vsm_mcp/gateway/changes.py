"""News that a list changed, on its way to whoever listens.

A level, not a queue: a listener that is slow learns once that tools changed, however often they did.
"""

from __future__ import annotations

import asyncio
from typing import Final

KINDS: Final = ("tools", "prompts", "resources")
METHODS: Final = {kind: f"notifications/{kind}/list_changed" for kind in KINDS}


class Listener:
    """Someone who wants to know; made by :meth:`ChangeBus.listen`."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._news: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.ended = False

    def tell(self, kinds: tuple[str, ...]) -> None:
        """Take note of changed kinds."""
        for kind in kinds:
            if kind in self._wanted:
                self._news[kind] = None
                self._wake.set()

    def end(self) -> None:
        """Let the listener go: no more news will come."""
        self.ended = True
        self._wake.set()

    async def news(self, timeout: float) -> tuple[str, ...] | None:
        """Return the kinds that changed since the last time; empty after ``timeout`` seconds, ``None`` at the end."""
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return ()
        self._wake.clear()
        news, self._news = tuple(self._news), {}
        if self.ended:
            self._wake.set()
        return news if news or not self.ended else None


class ChangeBus:
    """Carries changes of the catalogue to listeners, at most ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def full(self) -> bool:
        """Whether no further listener is taken."""
        return len(self._listeners) >= self._limit

    def listen(self, wanted: frozenset[str]) -> Listener:
        """Return a new listener for some of :data:`KINDS`; give it back with :meth:`leave`."""
        listener = Listener(wanted)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener; idempotent."""
        self._listeners.discard(listener)

    def publish(self, kinds: tuple[str, ...]) -> None:
        """Tell everyone."""
        for listener in tuple(self._listeners):
            listener.tell(kinds)

    def close(self) -> None:
        """End every listener."""
        for listener in tuple(self._listeners):
            listener.end()
