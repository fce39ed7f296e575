"""A line over the standard streams of a program: one message a line."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final

from vsm_mcp.bench.conversation import Listener

LARGEST: Final = 64 * 1024 * 1024
_now = time.perf_counter


class PipeLine(asyncio.Protocol):
    """See :class:`~vsm_mcp.bench.conversation.Line`. Many calls may be under way at a time."""

    def __init__(self, listener: Listener) -> None:
        self.closed = False
        self._listener = listener
        self._writing: asyncio.WriteTransport | None = None
        self._reading: asyncio.BaseTransport | None = None
        self._parts: list[bytes] = []
        self._size = 0

    @classmethod
    async def over(cls, stdin: int, stdout: int, listener: Listener) -> PipeLine:
        """Take over both descriptors: what is sent goes to ``stdin``."""
        loop = asyncio.get_running_loop()
        line = cls(listener)
        line._reading, _ = await loop.connect_read_pipe(lambda: line, os.fdopen(stdout, "rb", 0))
        line._writing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(stdin, "wb", 0))
        return line

    def send(self, message: bytes) -> None:
        """Send one message."""
        if self.closed or self._writing is None:
            self._listener.broken("the program has ended")
        else:
            self._writing.write(message + b"\n")

    def agree(self, version: str) -> None:
        """Note nothing: over pipes the version is not said again."""

    def close(self) -> None:
        """Close both pipes, which asks the program to end."""
        self.closed = True
        for transport in (self._writing, self._reading):
            if transport is not None:
                transport.close()

    def data_received(self, data: bytes) -> None:
        """Hand on every whole line."""
        moment = _now()
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start:end]
            if self._parts:
                self._parts.append(line)
                line, self._parts, self._size = b"".join(self._parts), [], 0
            start = end + 1
            if line:
                self._listener.received(line, moment)
        if start < len(data):
            self._parts.append(data[start:])
            self._size += len(data) - start
            if self._size > LARGEST:
                self.close()
                self._listener.broken(f"a line of more than {LARGEST} bytes")

    def connection_lost(self, _error: Exception | None) -> None:
        """Say that the program closed its output."""
        if not self.closed:
            self.close()
            self._listener.broken("the program closed its output")
