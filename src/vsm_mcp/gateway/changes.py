"""News that a list, a resource or a task changed, on its way to whoever listens.

A level, not a queue: a listener that is slow learns once that tools changed, however often they did.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

KINDS: Final = ("tools", "prompts", "resources")
_UPDATED: Final = "updated"
_TASK: Final = "task"
SAID: Final = "said"
METHODS: Final = {kind: f"notifications/{kind}/list_changed" for kind in KINDS} | {
    _UPDATED: "notifications/resources/updated",
    _TASK: "notifications/tasks",
}
_MAX_NEWS: Final = 2000
_MAX_BYTES: Final = 4 * 1024 * 1024


class News(NamedTuple):
    """What changed: the list of a kind, the resource ``uri`` (``updated``), or the task with the id ``uri`` (``task``).

    ``params`` is a task's state as raw JSON; for ``said`` it is a whole message, and ``uri`` tells it from others.
    """

    kind: str
    uri: str = ""
    params: bytes = b""


class Listener:
    """Someone who wants to know; made by :meth:`ChangeBus.listen`."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._news: dict[tuple[str, str], News] = {}
        self._size = 0
        self._said = 0
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

    def task(self, ident: str, params: bytes) -> None:
        """Take note of a task's state, in place of an earlier one that was not told yet."""
        self._note(News(_TASK, ident, params))

    def say(self, message: bytes) -> None:
        """Take one whole message, to be passed on as it is; dropped where the listener does not keep up."""
        self._said += 1
        self._note(News(SAID, str(self._said), message))

    def inherit(self, other: Listener) -> None:
        """Take over what another one has not told yet."""
        self._said += other._said
        for news in other._news.values():
            self._note(news)

    def _note(self, news: News) -> None:
        key = (news.kind, news.uri)
        old = self._news.pop(key, None)
        self._size += len(news.params) - (0 if old is None else len(old.params))
        if len(self._news) < _MAX_NEWS and self._size <= _MAX_BYTES:
            self._news[key] = news
        else:
            self._size -= len(news.params)
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
        news, self._news, self._size = tuple(self._news.values()), {}, 0
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
