"""Serving a socket that a hostile program can flood: so much at a time, then a pause, so that others get their turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

_BURST: Final = 64
_PAUSE_SECONDS: Final = 0.02


class Paced:
    """Calls ``take`` while there is something to take, at most 64 times in 20 ms.

    ``take`` raises :class:`BlockingIOError` when there is nothing; any other :class:`OSError` is a reason to pause.
    """

    def __init__(self, source: socket.socket, take: Callable[[socket.socket], None]) -> None:
        self._source = source
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._go_on()

    def stop(self) -> socket.socket:
        """Stop, and return the socket, to be closed."""
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._source.fileno())
        return self._source

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._source.fileno(), self._ready)

    def _ready(self) -> None:
        try:
            for _ in range(_BURST):
                self._take(self._source)
        except BlockingIOError:
            return
        except OSError:
            pass  # no descriptor left, or the like: later perhaps
        self._loop.remove_reader(self._source.fileno())
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self._go_on)
