"""A look at bytes on their way from one pipe to another: nothing is added, held back or lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Final

_CHUNK: Final = 65536


class Tap:
    """Owns ``source`` (non-blocking); what arrives there can be read from ``out``, which belongs to the caller.

    ``look`` sees it first. Whoever does not read makes the writer wait, as in the pipe alone.
    """

    def __init__(self, source: int, look: Callable[[bytes], None]) -> None:
        self.out, self._into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._look = look
        self._waiting = memoryview(b"")
        self._loop.add_reader(source, self._read)

    def close(self) -> None:
        """Let both ends go. Idempotent."""
        if self._source < 0:
            return
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._into)
        os.close(self._source)
        os.close(self._into)
        self._source = self._into = -1

    def _read(self) -> None:
        try:
            data = os.read(self._source, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._look(data)
        self._waiting = memoryview(data)
        self._write()

    def _write(self) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                self._waiting = self._waiting[os.write(self._into, self._waiting) :]
        except OSError:  # nobody reads any more: the writer shall find out
            self.close()
            return
        if self._waiting:
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._into, self._write)
        else:
            self._loop.remove_writer(self._into)
            self._loop.add_reader(self._source, self._read)
