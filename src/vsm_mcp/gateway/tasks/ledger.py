"""Which tasks were given to whom; bounded, and nothing is kept for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from vsm_mcp.gateway.tasks.task import Task
from vsm_mcp.gateway.upstream import Channel

_MOST: Final = 10_000
_MOST_OF_ONE: Final = 1000
_KEPT_SECONDS: Final = 86_400.0


class Held(NamedTuple):
    """One task, by the conversation in which it was made and the id that its server gave it.

    The same id in another conversation may be another task: a server that was started again may count from one again.
    """

    channel: Channel
    ident: str


class Entry:
    """Who holds a task. ``let_go`` is called once, when the task has ended or is forgotten.

    ``place`` is the key of the process that works on it, where that is not the holder's own session.
    """

    __slots__ = ("_let_go", "owner", "place", "server", "timer")

    def __init__(
        self, server: str, owner: str, place: str | None = None, let_go: Callable[[], None] | None = None
    ) -> None:
        self.server = server
        self.owner = owner
        self.place = place
        self.timer: asyncio.TimerHandle | None = None
        self._let_go = let_go

    def settle(self) -> None:
        """Take note that the task has ended. Idempotent."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()


class Ledger:
    """The tasks that clients hold; a client's oldest gives way when it holds a thousand."""

    def __init__(self) -> None:
        self._entries: dict[Held, Entry] = {}
        self._by_owner: dict[str, dict[Held, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def enter(self, held: Held, entry: Entry, task: Task) -> None:
        """Take note of a task that was made; it is kept for a day at most."""
        self._drop(held)
        held_by_owner = self._by_owner.setdefault(entry.owner, {})
        if len(held_by_owner) >= _MOST_OF_ONE:
            self._drop(next(iter(held_by_owner)))
        elif len(self._entries) >= _MOST:
            self._drop(next(iter(self._entries)))
        seconds = _KEPT_SECONDS if task.ttl is None else min(task.ttl, _KEPT_SECONDS)
        entry.timer = asyncio.get_running_loop().call_later(seconds, self._drop, held)
        self._entries[held] = entry
        self._by_owner.setdefault(entry.owner, {})[held] = None

    def owner(self, held: Held) -> str | None:
        """Return who holds a task, ``None`` where that is not known (any more)."""
        entry = self._entries.get(held)
        return None if entry is None else entry.owner

    def settle(self, held: Held) -> None:
        """Take note that a task has ended: whoever holds it may still ask for it."""
        entry = self._entries.get(held)
        if entry is not None:
            entry.settle()

    def place(self, server: str, ident: str, owner: str) -> str | None:
        """Return the key of the process that works on a client's task, where that is not the client's own session."""
        for held in self._by_owner.get(owner, ()):
            if held.ident == ident and self._entries[held].server == server:
                return self._entries[held].place
        return None

    def servers(self, owner: str) -> list[str]:
        """Return the servers that a client holds tasks of, by name."""
        return sorted({self._entries[held].server for held in self._by_owner.get(owner, ())})

    def forget(self, owner: str) -> None:
        """Drop everything that a client holds, which is gone for good."""
        self._drop_all(self._by_owner.get(owner, ()))

    def close(self) -> None:
        """Drop everything."""
        self._drop_all(self._entries)

    def _drop_all(self, held: Iterable[Held]) -> None:
        for each in tuple(held):
            self._drop(each)

    def _drop(self, held: Held) -> None:
        entry = self._entries.pop(held, None)
        if entry is None:
            return
        if entry.timer is not None:
            entry.timer.cancel()
        of_owner = self._by_owner[entry.owner]
        del of_owner[held]
        if not of_owner:
            del self._by_owner[entry.owner]
        entry.settle()
