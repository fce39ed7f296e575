"""Lines on their way to a pipe: all of one turn of the loop leave together."""

from __future__ import annotations

import asyncio
from typing import Final

_JOINED: Final = 16 * 1024


class Batch:
    """Collects lines for a transport, which would make a system call of every line. ``size`` is how many bytes wait."""

    __slots__ = ("_loop", "_transport", "_waiting", "size")

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._waiting: list[bytes] = []
        self.size = 0

    def line(self, message: bytes) -> None:
        """Write one message as a line; line breaks between its tokens become spaces (in strings JSON escapes them)."""
        if b"\n" in message or b"\r" in message:
            message = message.replace(b"\n", b" ").replace(b"\r", b" ")
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting += (message, b"\n")
        self.size += len(message)

    def left(self) -> list[bytes]:
        """Return the messages that were not handed to the transport."""
        return self._waiting[::2]

    def flush(self) -> None:
        """Hand what waits to the transport now."""
        if self._transport.is_closing():
            return  # they stay here: nothing of them has left
        waiting, size = self._waiting, self.size
        self._waiting, self.size = [], 0
        if not waiting:
            return
        if size > _JOINED:
            self._transport.writelines(waiting)  # copying that much costs more than handing over the pieces
        else:
            self._transport.write(b"".join(waiting))
