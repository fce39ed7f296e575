"""News that a list or a resource changed, on its way to whoever listens.

A level, not a queue: a listener that is slow learns once that tools changed, however often they did.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

KINDS: Final = ("tools", "prompts", "resources")
_UPDATED: Final = "updated"
METHODS: Final = {kind: f"notifications/{kind}/list_changed" for kind in KINDS} | {
    _UPDATED: "notifications/resources/updated"
}
_MAX_NEWS: Final = 2000


class News(NamedTuple):
    """What changed: the list of a kind, or (kind ``updated``) the resource ``uri``."""

    kind: str
    uri: str = ""


class Listener:
    """Someone who wants to know; made by :meth:`ChangeBus.listen`."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._news: dict[News, None] = {}
        self._wake = asyncio.Event()
        self.ended = False

    def tell(self, kinds: tuple[str, ...]) -> None:
        """Take note of changed kinds."""
        for kind in kinds:
            if kind in self._wanted:
                self._note(News(kind))

    def updated(self, uri: str) -> None:
        """Take note of a changed resource."""
        self._note(News(_UPDATED, uri))

    def inherit(self, other: Listener) -> None:
        """Take over what another one has not told yet."""
        for news in other._news:
            self._note(news)

    def _note(self, news: News) -> None:
        if len(self._news) < _MAX_NEWS:
            self._news[news] = None
        self._wake.set()

    def end(self) -> None:
        """Let the listener go: no more news will come."""
        self.ended = True
        self._wake.set()

    async def news(self, timeout: float) -> tuple[News, ...] | None:
        """Return what changed since the last time; empty after ``timeout`` seconds, ``None`` at the end."""
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
