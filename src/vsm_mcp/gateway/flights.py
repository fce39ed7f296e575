"""Requests that are being answered, so that they can be given up: by a notification, a disconnect, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Key = tuple[str, bytes]
"""(who asks, the request's raw id): ids are only unique within one session or one pipe."""


class Flights:
    """What has to be done to give a request up, by who asked it; and which tasks were given up so."""

    def __init__(self) -> None:
        self._flights: dict[Key, Callable[[], None]] = {}
        self._withdrawn: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._flights)

    def enter(self, key: Key, give_up: Callable[[], None]) -> None:
        """Take note that ``give_up`` ends the answering of ``key``."""
        self._flights[key] = give_up

    def leave(self, key: Key) -> None:
        """Take note that it is answered."""
        self._flights.pop(key, None)

    def withdraw(self, key: Key) -> bool:
        """Give up the request ``key``; ``False`` when it is not being answered."""
        give_up = self._flights.pop(key, None)
        if give_up is None:
            return False
        give_up()
        return True

    def withdraw_all(self, who: str) -> None:
        """Give up everything that ``who`` asked."""
        for key in [key for key in self._flights if key[0] == who]:
            self.withdraw(key)

    def withdraw_task(self, task: asyncio.Task[object] | None) -> None:
        """Give up what ``task`` answers."""
        if task is not None and not task.done():
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
