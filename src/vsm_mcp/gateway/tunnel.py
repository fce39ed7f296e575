"""A connection whose client goes on in another protocol after one request (RFC 9110, section 7.8)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from vsm_mcp.gateway.turn import Line, Turn

_MOST: Final = 64 * 1024
"""Bytes that may wait to be read; a client that sends more at a time than it is listened to is cut off."""


class Tunnel:
    """Bytes both ways, once :meth:`open` has answered the request. ``early`` came together with it."""

    def __init__(self, line: Line, turn: Turn, abort: Callable[[], None], early: bytes) -> None:
        self._line = line
        self._turn = turn
        self._abort = abort
        self._data = bytearray(early)
        self._woken = asyncio.Event()
        self._gone = False

    def open(self, head: bytes) -> None:
        """Write the whole head of the answer."""
        self._turn.begun = True
        self._line.write(head)

    def write(self, data: bytes) -> None:
        """Write to the client."""
        if not self._gone:
            self._line.write(data)

    async def drained(self) -> None:
        """Wait while the client does not read."""
        await self._line.drained()

    async def received(self, seconds: float) -> bytes | None:
        """Return what the client sent, ``b""`` where it sent nothing for so long, ``None`` once it has gone."""
        if not self._data and not self._gone:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        data = bytes(self._data)
        self._data.clear()
        return data if data or not self._gone else None

    def feed(self, data: bytes) -> None:
        """Take what the client sent."""
        self._data += data
        if len(self._data) > _MOST:
            self._abort()
        self._woken.set()

    def lost(self) -> None:
        """The client has gone."""
        self._gone = True
        self._woken.set()
