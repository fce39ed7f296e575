"""Results of calls, kept for a while: bounded in bytes, each for one principal, emptied by whatever may change them.

Mutable; belongs to one event loop. What may be kept is decided elsewhere.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.model.unreadable import UNREADABLE

EVERYBODY: Final = "\0everybody"
"""The principal of what a server says is the same for all (``cacheScope``: ``public``)."""
_OVERHEAD: Final = 512
"""Bytes that an entry costs beside its result and its arguments, about."""


class Key(msgspec.Struct, frozen=True, gc=False):
    """What was asked: ``arguments`` in their canonical form."""

    server: str
    tool: str
    arguments: bytes
    principal: str


class Kept(msgspec.Struct, frozen=True):
    """A result as the server gave it; ``modern`` is its era. ``stored`` and ``until`` in seconds of a steady clock."""

    raw: bytes
    modern: bool
    stored: float
    until: float


class Cache:
    """Holds at most ``limit`` bytes; what was asked for longest ago gives way."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.size = self.hits = self.misses = 0
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._of: defaultdict[str, set[Key]] = defaultdict(set)
        self._turns: dict[str, int] = {}
        self._turned = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key, now: float) -> Kept | None:
        """Return what is kept for a call, of its own principal or of everybody's."""
        for each in (key, msgspec.structs.replace(key, principal=EVERYBODY)):
            kept = self._kept.get(each)
            if kept is not None and kept.until > now:
                self._kept.move_to_end(each)
                self.hits += 1
                return kept
            if kept is not None:
                self._drop(each)
        self.misses += 1
        return None

    def turn(self, server: str) -> int:
        """Return a number that is another one once something of a server may have changed."""
        return self._turned + self._turns.get(server, 0)

    def put(self, key: Key, kept: Kept, turn: int) -> None:
        """Keep a result that was asked for at ``turn``; not if something may have changed since, nor beyond bounds."""
        size = _size(key, kept)
        if turn != self.turn(key.server) or size > self.limit // 4:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = kept
        self._of[key.server].add(key)
        self.size += size
        while self.size > self.limit:
            self._drop(next(iter(self._kept)))

    def empty(self, server: str | None = None) -> None:
        """Forget the results of a server, or all; also those that are on their way."""
        if server is None:
            self._turned += 1
        else:
            self._turns[server] = self._turns.get(server, 0) + 1
        for key in tuple(self._kept if server is None else self._of.get(server, ())):
            self._drop(key)

    def _drop(self, key: Key) -> None:
        self.size -= _size(key, self._kept.pop(key))
        keys = self._of[key.server]
        keys.discard(key)
        if not keys:
            del self._of[key.server]


def canonical(arguments: Raw | None) -> bytes | None:
    """Return the same bytes for the same arguments, however a client writes them; ``None`` for what is no object."""
    if arguments is None:
        return b"{}"
    try:
        values = msgspec.json.decode(arguments)
        return msgspec.json.encode(values, order="sorted") if isinstance(values, dict) else None
    except (*UNREADABLE, ValueError):
        return None


def _size(key: Key, kept: Kept) -> int:
    return len(key.arguments) + len(kept.raw) + _OVERHEAD
