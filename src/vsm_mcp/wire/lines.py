"""One message a line, over anything that carries bytes both ways.

The asyncio protocols here replace ``StreamReader``: a line may be tens of megabytes long, and whoever writes must not
pay a task or a system call for every small message.
"""

from __future__ import annotations

import abc
import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, cast

from vsm_mcp.errors import ProtocolError, TransportError
from vsm_mcp.wire.batch import Batch
from vsm_mcp.wire.transport import Deliver, Done, Head, Lost, unsent

HIGH_WATER: Final = 1024 * 1024
"""Bytes that may wait for a server that does not read, before senders wait as well."""

_MOST_WAITING: Final = 4 * HIGH_WATER
"""Bytes that may wait for it in all: a server that asks and asks, and reads no answer, gets none beyond that."""

_LINGER_SECONDS: Final = 0.5

TURN_SECONDS: Final = 0.0005
"""So much work on messages that nobody waited for is done at a stretch."""

SHARE: Final = 0.25
"""And such messages get no more of the loop's time than this."""


def ignore(_line: bytes) -> None:
    """Drop a line."""


def _nobody(_line: bytes, _about: int | None) -> bool:
    """Deliver to nobody yet."""
    return False


class Reader(asyncio.Protocol):
    """Splits what arrives into lines; each byte is searched once and copied twice, whatever the length of a line.

    ``take`` says whether somebody had waited for a line. Others get a share of the loop's time and no more: beyond that
    nothing is read for a while, and a server that floods us has to wait.
    """

    def __init__(self, take: Callable[[bytes], bool], ended: Callable[[str], None], max_line: int) -> None:
        self._take = take
        self._ended = ended
        self._max_line = max_line
        self._rest = bytearray()
        self._transport: asyncio.ReadTransport | None = None
        self._lines: Iterator[bytes] = iter(())
        self._last = b""
        self._later = b""
        self._held: asyncio.TimerHandle | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what can be paused."""
        self._transport = cast("asyncio.ReadTransport", transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        """Take the lines that are whole; keep the rest."""
        if self._held is not None:
            self._later += data
            return
        if data.find(b"\n") == len(data) - 1:  # almost always: one line and no more, which splitting would read twice
            self._lines, self._last = iter((data[:-1],)), b""
        else:
            *lines, self._last = data.split(b"\n")
            self._lines = iter(lines)
        self._work()

    def _work(self) -> None:
        """Take lines until there are none, or those that nobody waited for have had their turn."""
        spent = 0.0
        for line in self._lines:
            whole = line
            if self._rest:
                self._rest += line
                whole, self._rest = bytes(self._rest), bytearray()
            if len(whole) > self._max_line:
                return self._refuse()
            began = time.perf_counter()
            if not self._take(whole) and self._transport is not None:
                spent += time.perf_counter() - began
                if spent > TURN_SECONDS:
                    return self._hold(spent / SHARE - spent)
        self._rest += self._last
        if len(self._rest) > self._max_line:
            self._refuse()
        return None

    def _hold(self, seconds: float) -> None:
        """Take nothing for a while."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._held = asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._held = None
        self._work()
        if self._held is None and self._later:
            later, self._later = self._later, b""
            self.data_received(later)
        if self._held is None and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _refuse(self) -> None:
        self._rest = bytearray()
        self._ended(f"the server sent a line of more than {self._max_line} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        """Take what is left, and say that it is over."""
        self._transport = None
        if self._held is not None:
            self._held.cancel()
            self._go_on()
        rest, self._rest = bytes(self._rest), bytearray()
        if rest:
            self._take(rest)  # a last answer without its newline is still an answer
        cut = f" after half a line ({len(rest)} bytes)" if rest else ""
        self._ended(f"the server closed its output{cut}" if exc is None else f"reading from the server failed: {exc}")
        if not self.done.done():
            self.done.set_result(None)


class Writer(asyncio.BaseProtocol):
    """Wakes those who wait for the other end to take more: ``full`` is there while it does not read."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        self.full: asyncio.Future[None] | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ready(self) -> None:
        """Wait until it reads, or is gone."""
        if self.full is not None:
            await asyncio.shield(self.full)  # one who gives up waiting must not wake the others

    def pause_writing(self) -> None:
        """The other end does not read."""
        if self.full is None:
            self.full = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """It reads again."""
        full, self.full = self.full, None
        if full is not None:
            full.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        """It is gone, with an error or without: that depends on whether something was on its way."""
        self.resume_writing()
        self._gone()
        if not self.done.done():
            self.done.set_result(None)


class LineTransport(abc.ABC):
    """A conversation in lines; what carries the lines is a subclass's matter.

    ``on_junk`` gets every line that is no message (servers print banners and logs where they should not); such lines
    are survived. A line of more than ``max_line`` bytes ends the connection.
    """

    kind = "lines"
    only_era: str | None = None
    closing_cancels = False

    def __init__(self, *, max_line: int, on_junk: Callable[[bytes], None] = ignore) -> None:
        self._max_line = max_line
        self._on_junk = on_junk
        self._deliver: Deliver = _nobody
        self._lost: Lost | None = None
        self._opened = False
        self._closing = False
        self._deaf = False  # nothing that is sent would arrive

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Attach to what carries the lines; raises :class:`TransportError` when that cannot be done."""
        self._deliver, self._lost = deliver, lost
        self._writer = Writer(self._unheard)
        self._reader = Reader(self._take, self._ended, self._max_line)
        self._out = await self._attach(self._reader, self._writer)
        if not self._out.is_closing():  # uvloop takes no limits for what a server that died at once closed meanwhile
            self._out.set_write_buffer_limits(high=HIGH_WATER)
        self._batch = Batch(self._out)
        self._opened = True

    def try_send(self, data: bytes) -> bool:
        """Queue a message for the end of this turn of the loop, unless the server lets too much wait already."""
        if self._deaf or self._lost is None or self._writer.full is not None or self._batch.size > HIGH_WATER:
            return False
        self._batch.line(data)
        return True

    def begin(self, data: bytes, head: Head, done: Done) -> None:
        """Do nothing: answers come when they come."""
        return

    async def send(self, data: bytes, head: Head) -> None:
        """Write a message; a request waits while the server does not read.

        Raises :class:`TransportError` when it is gone, or when too much else waits for it already.
        """
        if head.kind == "request":
            if self._batch.size > HIGH_WATER:
                self._batch.flush()
            await self._writer.ready()
        if self._deaf or self._lost is None:
            raise unsent(TransportError("the connection to the server is closed"))
        if head.kind != "request" and self._batch.size + self._out.get_write_buffer_size() > _MOST_WAITING:
            raise TransportError("the server does not read")
        self._batch.line(data)

    def held(self) -> list[bytes]:
        """See :class:`~vsm_mcp.wire.transport.Holding`."""
        return self._batch.left() if self._opened else []

    async def close(self) -> None:
        """End our side, leave the server half a second to end its own, then let go of that too."""
        if not self._opened or self._closing:
            return
        self._batch.flush()
        self._closing = self._deaf = True
        self._hang_up()
        ends = [self._reader.done, self._writer.done]
        try:  # asyncio.wait: a time-out must not cancel the futures themselves
            await asyncio.wait(ends, timeout=_LINGER_SECONDS)
        finally:
            self._let_go()
            if not self._writer.done.done():
                self._out.abort()
            self._ended("the connection was closed")
        await asyncio.wait(ends, timeout=_LINGER_SECONDS)

    # --- what a subclass does ------------------------------------------------------------------------------------

    @abc.abstractmethod
    async def _attach(self, reader: Reader, writer: Writer) -> asyncio.WriteTransport:
        """Connect both protocols and return the way out."""

    @abc.abstractmethod
    def _hang_up(self) -> None:
        """Say that nothing more will be sent."""

    @abc.abstractmethod
    def _let_go(self) -> None:
        """Read no more."""

    # --- receiving -----------------------------------------------------------------------------------------------

    def _take(self, line: bytes) -> bool:
        """Deliver a line; return whether somebody had waited for it."""
        if self._lost is None or not line or line.isspace():
            return False
        try:
            return self._deliver(line, None)
        except ProtocolError:
            self._on_junk(line)
            return False

    def _unheard(self) -> None:
        """Take note that the server takes nothing any more; its last words may still be on their way."""
        self._deaf = True
        if not self._closing:
            loop = asyncio.get_running_loop()
            loop.call_later(_LINGER_SECONDS, self._ended, "the server closed its input")

    def _ended(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)
