"""The standard streams of this process, passed on to a program in the sandbox and back: bytes, none added, none lost.

Threads, because nothing else reads every kind of stream: a file or a terminal cannot be waited for as a pipe can. They
are daemon threads; one that waits for a person's next line ends with this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import Final

_CHUNK: Final = 65536


class Streams:
    """Passes on what arrives at ``stdin``, and what the program writes to ``stdout`` and ``stderr``.

    A reader who goes away is passed on, too: the program's next write fails as it would in a pipe without us.
    """

    def __init__(self, child: tuple[int, int, int], ours: tuple[int, int, int] = (0, 1, 2)) -> None:
        """``child`` are our ends of the program's pipes; they are owned from here on."""
        loop = asyncio.get_running_loop()
        self._outputs = [loop.create_future() for _ in range(2)]
        for descriptor in child:
            os.set_blocking(descriptor, True)
        _start(lambda: _copy(ours[0], child[0], closes=child[0]))
        for number, done in zip((1, 2), self._outputs, strict=True):
            _start(_copying(child[number], ours[number], loop, done))

    async def written(self, timeout: float | None = None) -> None:
        """Wait until all that the program wrote has been passed on, for at most ``timeout`` seconds."""
        await asyncio.wait(self._outputs, timeout=timeout)


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _copying(
    source: int, target: int, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]
) -> Callable[[], None]:
    def work() -> None:
        _copy(source, target, closes=source)
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(done.set_result, None)

    return work


def _copy(source: int, target: int, *, closes: int) -> None:
    """Copy until the source ends or the target takes no more; then close the program's end of it."""
    try:
        while chunk := os.read(source, _CHUNK):
            _write(target, chunk)
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            os.close(closes)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:  # somebody made our own stream so
            select.select([], [target], [])
