"""MCP over the pipes of a child process: one message a line (specification 2026-07-28, "Transports: stdio").

The asyncio protocols here replace ``StreamReader``: a line may be tens of megabytes long, and whoever writes must not
pay a task or a system call for every small message.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import IO, Final

from vsm_mcp.errors import ProtocolError, TransportError
from vsm_mcp.wire.batch import Batch
from vsm_mcp.wire.transport import Deliver, Head, Lost

HIGH_WATER: Final = 1024 * 1024
"""Bytes that may wait for a server that does not read, before senders wait as well."""

_MOST_WAITING: Final = 4 * HIGH_WATER
"""Bytes that may wait for it in all: a server that asks and asks, and reads no answer, gets none beyond that."""

_LINGER_SECONDS: Final = 0.5


def _ignore(_line: bytes) -> None:
    """Drop a line."""


def _nobody(_line: bytes) -> bool:
    """Deliver to nobody yet."""
    return False


class _Reader(asyncio.Protocol):
    """Splits what arrives into lines; each byte is searched once and copied twice, whatever the length of a line."""

    def __init__(self, take: Callable[[bytes], None], ended: Callable[[str], None], max_line: int) -> None:
        self._take = take
        self._ended = ended
        self._max_line = max_line
        self._rest = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *lines, last = data.split(b"\n")
        for line in lines:
            whole = line
            if self._rest:
                self._rest += line
                whole, self._rest = bytes(self._rest), bytearray()
            if len(whole) > self._max_line:
                return self._refuse()
            self._take(whole)
        self._rest += last
        if len(self._rest) > self._max_line:
            self._refuse()
        return None

    def _refuse(self) -> None:
        self._rest = bytearray()
        self._ended(f"the server sent a line of more than {self._max_line} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        rest, self._rest = bytes(self._rest), bytearray()
        if rest:
            self._take(rest)  # a last answer without its newline is still an answer
        cut = f" after half a line ({len(rest)} bytes)" if rest else ""
        self._ended(f"the server closed its output{cut}" if exc is None else f"reading from the server failed: {exc}")
        if not self.done.done():
            self.done.set_result(None)


class _Writer(asyncio.BaseProtocol):
    """Knows whether the pipe takes more, and wakes those who wait for it."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._ready = asyncio.Event()
        self._ready.set()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def paused(self) -> bool:
        return not self._ready.is_set()

    async def ready(self) -> None:
        await self._ready.wait()

    def pause_writing(self) -> None:
        self._ready.clear()

    def resume_writing(self) -> None:
        self._ready.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ready.set()
        if exc is not None:
            self._ended("the server closed its input")
        if not self.done.done():
            self.done.set_result(None)


class StdioTransport:
    """A pair of pipes: ``read_fd`` is the server's stdout, ``write_fd`` its stdin; both are owned from here on.

    ``on_junk`` gets every line that is no message (servers print banners and logs where they should not); such lines
    are survived. A line of more than ``max_line`` bytes ends the connection.
    """

    closing_cancels = False

    def __init__(
        self, read_fd: int, write_fd: int, *, max_line: int, on_junk: Callable[[bytes], None] = _ignore
    ) -> None:
        self._fds = (read_fd, write_fd)
        self._max_line = max_line
        self._on_junk = on_junk
        self._deliver: Deliver = _nobody
        self._lost: Lost | None = None
        self._opened = False
        self._closing = False

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Attach to the pipes; raises :class:`TransportError` when the descriptors are no open pipes."""
        self._deliver, self._lost = deliver, lost
        loop = asyncio.get_running_loop()
        self._writer = _Writer(self._ended)
        self._reader = _Reader(self._take, self._ended, self._max_line)
        files: list[IO[bytes]] = []
        try:
            files += [os.fdopen(fd, mode, buffering=0) for fd, mode in zip(self._fds, ("rb", "wb"), strict=True)]
            self._out, _ = await loop.connect_write_pipe(lambda: self._writer, files[1])
            self._in, _ = await loop.connect_read_pipe(lambda: self._reader, files[0])
        except (OSError, ValueError) as error:
            for file in files:  # the event loop may have closed them already; closing a file twice is no harm
                file.close()
            raise TransportError(f"the server's pipes cannot be used: {error}") from error
        self._out.set_write_buffer_limits(high=HIGH_WATER)
        self._batch = Batch(self._out)
        self._opened = True

    def try_send(self, data: bytes) -> bool:
        """Queue a message for the end of this turn of the loop, unless the server lets too much wait already."""
        if self._closing or self._lost is None or self._writer.paused or self._batch.size > HIGH_WATER:
            return False
        self._batch.line(data)
        return True

    async def send(self, data: bytes, head: Head) -> None:
        """Write a message; a request waits while the server does not read.

        Raises :class:`TransportError` when it is gone, or when too much else waits for it already.
        """
        if head.kind == "request":
            if self._batch.size > HIGH_WATER:
                self._batch.flush()
            await self._writer.ready()
        elif self._batch.size + self._out.get_write_buffer_size() > _MOST_WAITING:
            raise TransportError("the server does not read")
        if self._closing or self._lost is None:
            raise TransportError("the connection to the server is closed")
        self._batch.line(data)

    async def close(self) -> None:
        """Close the server's stdin, leave it half a second to end its output, then let go of that too."""
        if not self._opened or self._closing:
            return
        self._batch.flush()
        self._closing = True
        self._out.close()
        ends = [self._reader.done, self._writer.done]
        try:  # asyncio.wait: a time-out must not cancel the futures themselves
            await asyncio.wait(ends, timeout=_LINGER_SECONDS)
        finally:
            self._in.close()
            if not self._writer.done.done():
                self._out.abort()
            self._ended("the connection was closed")
        await asyncio.wait(ends, timeout=_LINGER_SECONDS)

    def _take(self, line: bytes) -> None:
        if self._lost is None or not line or line.isspace():
            return
        try:
            self._deliver(line)
        except ProtocolError:
            self._on_junk(line)

    def _ended(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)
