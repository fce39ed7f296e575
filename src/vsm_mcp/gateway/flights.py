"""Requests that are being answered, so that they can be given up: by a notification, a disconnect, the end."""

from __future__ import annotations

import asyncio

Key = tuple[str, bytes]
"""(who asks, the request's raw id): ids are only unique within one session or one pipe."""


class Flights:
    """The tasks that answer requests."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[object]] = {}
        self._withdrawn: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def enter(self, key: Key, task: asyncio.Task[object]) -> None:
        """Take note that ``task`` answers ``key``."""
        self._tasks[key] = task

    def leave(self, key: Key) -> None:
        """Take note that it is answered."""
        self._tasks.pop(key, None)

    def withdraw(self, key: Key) -> bool:
        """Give up the request ``key``; ``False`` when it is not being answered."""
        task = self._tasks.pop(key, None)
        if task is None:
            return False
        self.withdraw_task(task)
        return True

    def withdraw_all(self, who: str) -> None:
        """Give up everything that ``who`` asked."""
        for key in [key for key in self._tasks if key[0] == who]:
            self.withdraw(key)

    def withdraw_task(self, task: asyncio.Task[object]) -> None:
        """Give up what ``task`` answers."""
        if not task.done():
            self._withdrawn.add(task)
            task.add_done_callback(self._withdrawn.discard)
            task.cancel()

    def was_withdrawn(self, task: asyncio.Task[object] | None) -> bool:
        """Return whether a cancellation that just arrived in ``task`` was one of these; it counts once."""
        if task is None or task not in self._withdrawn:
            return False
        self._withdrawn.discard(task)
        task.uncancel()
        return True
