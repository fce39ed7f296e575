"""Reads a pipe for as long as it lives, no faster than a log needs: a flood slows its server, nobody else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

_RATE: Final = 4 * 1024 * 1024
_BURST: Final = 8 * 1024 * 1024
_CHUNK: Final = 16 * 1024  # some milliseconds of work, where lines are short


class Drain:
    """Owns ``descriptor`` (non-blocking) and hands its bytes to ``take``; ``done`` resolves at its end.

    Beyond 8 MB at once it reads ``rate`` bytes a second; the pipe fills, and the writer waits.
    """

    def __init__(self, descriptor: int, take: Callable[[bytes], None], *, rate: int = _RATE) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._take = take
        self._rate = rate
        self._budget = float(_BURST)
        self._filled = self._loop.time()
        self._pause: asyncio.TimerHandle | None = None
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(descriptor, self._ready)

    def close(self) -> None:
        """Stop reading."""
        if self._descriptor < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        if not self.done.done():
            self.done.set_result(None)

    async def finish(self, seconds: float) -> None:
        """Read to the end, for at most ``seconds``; then stop."""
        self._budget = float(_BURST)
        if self._pause is not None:
            self._pause.cancel()
            self._resume()
        await asyncio.wait([self.done], timeout=seconds)
        self.close()

    def _ready(self) -> None:
        try:
            chunk = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        self._take(chunk)
        now = self._loop.time()
        self._budget = min(self._budget + (now - self._filled) * self._rate, _BURST) - len(chunk)
        self._filled = now
        if self._budget < 0:
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(max(-self._budget / self._rate, 0.05), self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._descriptor >= 0:
            self._loop.add_reader(self._descriptor, self._ready)
