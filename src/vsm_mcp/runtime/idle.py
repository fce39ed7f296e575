"""One timer for the idle times of all servers: it runs only while there is something that it may stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol

_SHORTEST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 15.0
_LOOKS: Final = 4


class Resting(Protocol):
    """What the timer looks at: the processes of one server."""

    @property
    def patience(self) -> float:
        """The shortest idle time (seconds) that counts for a process that runs now; 0 where none does."""
        ...

    def rest(self, now: float) -> None:
        """Begin to stop what nobody has used for its time; ``now`` is the event loop's."""
        ...


def pause(patiences: Iterable[float]) -> float | None:
    """Return for how many seconds the timer may sleep; ``None``: until something is started.

    A process is stopped at the latest two looks after its time, half an idle time late.
    """
    shortest = min((seconds for seconds in patiences if seconds > 0), default=None)
    return None if shortest is None else min(max(shortest / _LOOKS, _SHORTEST_SECONDS), _LONGEST_SECONDS)


async def watch(everything: Callable[[], Iterable[Resting]], news: asyncio.Event) -> None:
    """Look at ``everything`` again and again until cancelled; ``news`` is set when something starts or changes."""
    loop = asyncio.get_running_loop()
    while True:
        news.clear()
        seconds = pause(each.patience for each in everything())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await news.wait()
        now = loop.time()
        for each in everything():
            each.rest(now)
