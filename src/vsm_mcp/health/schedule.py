"""When which server is looked at: spread evenly by chance, so that ten thousand are never due at once. Pure."""

from __future__ import annotations

import heapq
import math
from typing import Final

_GIVE_OR_TAKE: Final = 0.1
_TOGETHER: Final = 8
_SHORTEST_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 5.0


def pause(every: float, jitter: float) -> float:
    """Return the time until the next look, in seconds: ``every``, a tenth more or less by ``jitter`` (0 to 1)."""
    return every * (1 - _GIVE_OR_TAKE + 2 * _GIVE_OR_TAKE * min(max(jitter, 0.0), 1.0))


def together(at: float, every: float, count: int) -> float:
    """Return ``at`` put off a little, so that a few of ``count`` servers are looked at together.

    To wake up costs more than a look. Of many servers hardly any wait for each other: they are due all the time.
    """
    grain = min(max(every * _TOGETHER / max(count, 1), _SHORTEST_SECONDS), _LONGEST_SECONDS, every / 4)
    return math.ceil(at / grain) * grain if grain > 0 else at


class Schedule:
    """Who is due when, by any steady clock's seconds. A name is in it once; what is put earlier counts."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, name: str) -> bool:
        return name in self._due

    def put(self, name: str, at: float) -> None:
        """Have a server looked at then, and not before or after."""
        self._due[name] = at
        heapq.heappush(self._heap, (at, name))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(due, each) for each, due in self._due.items()]
            heapq.heapify(self._heap)

    def hasten(self, name: str, at: float) -> None:
        """Have a server looked at then, unless it is due before."""
        if name in self._due and at < self._due[name]:
            self.put(name, at)

    def drop(self, name: str) -> None:
        """Look at a server no longer."""
        self._due.pop(name, None)

    def next(self) -> float | None:
        """Return when the next one is due; ``None`` where nobody is."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> list[str]:
        """Return who is due, the longest first; they are in it no longer until they are put there again."""
        found = []
        while (at := self.next()) is not None and at <= now:
            name = heapq.heappop(self._heap)[1]
            del self._due[name]
            found.append(name)
        return found
