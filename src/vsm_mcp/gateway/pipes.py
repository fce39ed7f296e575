"""Lines in and out over two pipes: the client's side of MCP over stdio."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from typing import Final, cast

from vsm_mcp.errors import ConfigError
from vsm_mcp.wire.batch import Batch

_MUCH: Final = 1024 * 1024
"""Bytes of one turn of the loop after which a client counts as one that does not read: the pipe says so only later."""


class Lines(asyncio.Protocol):
    """Hands out each line that arrives; one that is longer than ``limit`` is dropped and reported as ``None``."""

    def __init__(self, take: Callable[[bytes | None], None], limit: int) -> None:
        self._take = take
        self._limit = limit
        self._rest = bytearray()
        self._skipping = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Split what arrives; each byte is searched once."""
        *lines, last = data.split(b"\n")
        for line in lines:
            self._end_line(line)
        if not self._skipping:
            self._rest += last
            if len(self._rest) > self._limit:
                self._rest, self._skipping = bytearray(), True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take what is left as a line: a last message without its newline is still one. Idempotent."""
        if self._rest or self._skipping:
            self._end_line(b"")
        if not self.ended.done():
            self.ended.set_result(None)

    def _end_line(self, line: bytes) -> None:
        whole = bytes(self._rest + line) if self._rest else line
        self._rest = bytearray()
        too_long = self._skipping or len(whole) > self._limit
        self._skipping = False
        if too_long:
            self._take(None)
        elif whole and not whole.isspace():
            self._take(whole)


class Out(asyncio.BaseProtocol):
    """Writes lines; knows when the other side does not read."""

    def __init__(self, paused: Callable[[bool], None]) -> None:
        self._paused = paused
        self._batch: Batch | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but its class
        self._batch = Batch(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that nobody reads any more."""
        self._transport = self._batch = None
        self._flowing.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Stop taking requests: their answers would pile up."""
        self._flowing.clear()
        self._paused(True)

    def resume_writing(self) -> None:
        """Take requests again."""
        self._flowing.set()
        self._paused(False)

    def notify(self, message: bytes) -> None:
        """Write one message, unless the other side does not read."""
        if self._flowing.is_set() and self._batch is not None and self._batch.size < _MUCH:
            self._batch.line(message)

    def put(self, message: bytes) -> None:
        """Write one message; nothing, once nobody reads any more."""
        if self._batch is not None:
            self._batch.line(message)

    async def drained(self) -> None:
        """Wait while the other side does not read."""
        await self._flowing.wait()

    def flush(self) -> None:
        """Hand everything to the pipe now."""
        if self._batch is not None:
            self._batch.flush()

    async def close(self, seconds: float) -> None:
        """Write what is left, for at most ``seconds``, and close."""
        self.flush()
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self.closed)
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()


class _Both(asyncio.Protocol):
    """One socket in both directions: a pair of pipe transports on it would take incoming data for its end."""

    def __init__(self, lines: Lines, out: Out) -> None:
        self._lines = lines
        self._out = out

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._lines.data_received(data)

    def pause_writing(self) -> None:
        self._out.pause_writing()

    def resume_writing(self) -> None:
        self._out.resume_writing()

    def eof_received(self) -> bool:
        self._lines.connection_lost(None)
        return True  # the last answers can still be written

    def connection_lost(self, exc: Exception | None) -> None:
        self._lines.connection_lost(exc)
        self._out.connection_lost(exc)


async def attach(read_fd: int, write_fd: int, lines: Lines, out: Out) -> asyncio.ReadTransport:
    """Connect both ends and return the one to read from; the descriptors are owned by the transports from here on.

    Both may be the same socket. Raises :class:`ConfigError` for what is no pipe, socket or terminal.
    """
    loop = asyncio.get_running_loop()
    if _same_socket(read_fd, write_fd):
        os.close(write_fd)
        both, _ = await loop.connect_accepted_socket(lambda: _Both(lines, out), socket.socket(fileno=read_fd))
        return both
    source = os.fdopen(read_fd, "rb", buffering=0)
    sink = os.fdopen(write_fd, "wb", buffering=0)
    try:
        await loop.connect_write_pipe(lambda: out, sink)
        reading, _ = await loop.connect_read_pipe(lambda: lines, source)
    except (OSError, ValueError) as error:
        source.close()
        sink.close()
        raise ConfigError(
            f"standard input or output cannot be served: {error}", "run it from an MCP client, or with pipes"
        ) from error
    return reading


def _same_socket(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return stat.S_ISSOCK(first.st_mode) and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
