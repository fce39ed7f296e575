"""The events of the daemon as a stream that readers may leave and come back to. No I/O: fronts write what it gives.

The last events are kept, so that a reader that names the last one it has goes on from there, and one that was away for
too long is told so. Nobody is waited for: whoever reads too slowly is cut off, with a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from vsm_mcp.events import Event

_QUEUE: Final = 1000
_READERS: Final = 64
_AT_ONCE: Final = 100
SILENCE_SECONDS: Final = 15.0
"""After so long without an event a reader over a network is told that the stream lives."""


class Entry(NamedTuple):
    """One event: its number, the time it was published at (seconds since the epoch), and itself."""

    number: int
    at: float
    event: Event


class Wanted(msgspec.Struct, frozen=True):
    """Which events a reader wants: of these types and about these servers; empty: all."""

    types: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()

    def lets(self, event: Event) -> bool:
        """Whether an event is wanted."""
        if self.types and type(event).__name__ not in self.types:
            return False
        return not self.servers or getattr(event, "server", None) in self.servers


class Reader:
    """One who reads: takes what has come since, and waits where there is nothing. ``missed`` counts what was lost."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.missed = 0
        self.dropped = False
        self.ended = False
        self._queue: deque[Entry] = deque()
        self._woken = asyncio.Event()

    def offer(self, entry: Entry) -> bool:
        """Put an event before the reader, if it wants it; ``False`` when it has too many already: it is cut off."""
        if self.dropped or not self.wanted.lets(entry.event):
            return True
        if len(self._queue) >= _QUEUE:
            self.dropped = True
            self._queue.clear()
            self._woken.set()
            return False
        self._queue.append(entry)
        self._woken.set()
        return True

    def fill(self, entries: Sequence[Entry]) -> None:
        """Put what was kept before the reader, however much that is."""
        self._queue.extend(entry for entry in entries if self.wanted.lets(entry.event))
        self._woken.set()

    def end(self) -> None:
        """Let the stream end once everything was taken."""
        self.ended = True
        self._woken.set()

    async def take(self, silence: float) -> list[Entry]:
        """Return some events that have come; none after ``silence`` seconds without any, or at the end."""
        if not self._queue and not self.ended and not self.dropped:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(silence):
                    await self._woken.wait()
        return [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.dropped or (self.ended and not self._queue)


class EventStream:
    """All events, and those who read them: a subscriber of the bus. ``kept`` is how many can be read again."""

    def __init__(self, kept: int) -> None:
        self._began = f"{int(1000 * time.time()):x}"
        self._kept: deque[Entry] = deque(maxlen=max(1, kept))
        self._number = 0
        self._closed = False
        self.readers: set[Reader] = set()
        self.dropped = 0

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        self._number += 1
        entry = Entry(self._number, time.time(), event)
        self._kept.append(entry)
        for reader in tuple(self.readers):
            if not reader.offer(entry):
                self.dropped += 1
                self.readers.discard(reader)

    def configure(self, kept: int) -> None:
        """Keep another number of events from now on."""
        if kept != self._kept.maxlen:
            self._kept = deque(self._kept, maxlen=max(1, kept))

    @property
    def full(self) -> bool:
        """Whether there are as many readers as there may be."""
        return len(self.readers) >= _READERS

    def read(self, wanted: Wanted, last: str = "", *, kept: bool = False, follow: bool = True) -> Reader:
        """Begin to read what is wanted; :meth:`leave` ends it.

        ``last`` is the id of the last event that the reader has: what followed it comes first. ``kept``: everything
        that is kept comes first. Without ``follow`` that is all. What is there no more is counted in ``missed``; -1
        says that nobody knows how many, because another process of the daemon gave that id.
        """
        reader = Reader(wanted)
        began, _, number = last.rpartition("-")
        if last and began == self._began and number.isdigit():
            have = int(number)
            oldest = self._kept[0].number if self._kept else self._number + 1
            reader.missed = max(0, oldest - have - 1)
            reader.fill([entry for entry in self._kept if entry.number > have])
        elif last:
            reader.missed = -1
            reader.fill(self._kept)
        elif kept:
            reader.fill(self._kept)
        if follow and not self._closed:
            self.readers.add(reader)
        else:
            reader.end()
        return reader

    def leave(self, reader: Reader) -> None:
        """Read no more. Idempotent."""
        self.readers.discard(reader)

    def close(self) -> None:
        """End every stream: the daemon stops."""
        self._closed = True
        for reader in tuple(self.readers):
            reader.end()
        self.readers.clear()

    def ident(self, entry: Entry) -> str:
        """Return the id of an event: other for every event, and for every process of the daemon."""
        return f"{self._began}-{entry.number}"

    def document(self, entry: Entry) -> bytes:
        """Return an event as JSON: ``{"id", "at", "event", …fields}``."""
        return msgspec.json.encode({"id": self.ident(entry), "at": round(entry.at, 3), **entry.event.to_dict()})


def notice(reader: Reader) -> bytes:
    """Return, as JSON, that events are missing (``missed``; -1: nobody knows how many), or that the reader was slow."""
    if reader.dropped:
        return msgspec.json.encode({"event": "ReaderTooSlow", "hint": "come back with the id of the last event"})
    return msgspec.json.encode({"event": "EventsMissed", "missed": reader.missed})
