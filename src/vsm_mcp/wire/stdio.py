"""MCP over the pipes of a child process: one message a line (specification 2026-07-28, "Transports: stdio")."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from typing import IO, Final

from vsm_mcp.errors import TransportError
from vsm_mcp.wire.lines import LineTransport, Reader, Writer, ignore

_PIPE_BYTES: Final = 256 * 1024
"""What a pipe is asked to hold: a message of more than it holds costs both ends a turn for each part. Pages are only
taken while there is something in them; an ordinary user whose pipes hold 64 MiB already keeps the system's 64 KiB."""


class StdioTransport(LineTransport):
    """A pair of pipes: ``read_fd`` is the server's stdout, ``write_fd`` its stdin; both are owned from here on.

    See :class:`LineTransport` for the rest.
    """

    kind = "stdio"

    def __init__(
        self, read_fd: int, write_fd: int, *, max_line: int, on_junk: Callable[[bytes], None] = ignore
    ) -> None:
        super().__init__(max_line=max_line, on_junk=on_junk)
        self._fds = (read_fd, write_fd)

    async def _attach(self, reader: Reader, writer: Writer) -> asyncio.WriteTransport:
        """Attach to the pipes; raises :class:`TransportError` when the descriptors are no open pipes."""
        loop = asyncio.get_running_loop()
        files: list[IO[bytes]] = []
        try:
            for fd in self._fds:
                _widen(fd)
            files += [os.fdopen(fd, mode, buffering=0) for fd, mode in zip(self._fds, ("rb", "wb"), strict=True)]
            out, _ = await loop.connect_write_pipe(lambda: writer, files[1])
            self._in, _ = await loop.connect_read_pipe(lambda: reader, files[0])
        except (OSError, ValueError) as error:
            for file in files:  # the event loop may have closed them already; closing a file twice is no harm
                file.close()
            raise TransportError(f"the server's pipes cannot be used: {error}") from error
        return out

    def _hang_up(self) -> None:
        self._out.close()

    def _let_go(self) -> None:
        self._in.close()


def _widen(fd: int) -> None:
    """Let a pipe hold more, where the system allows it (Linux, ``pipe(7)``, ``F_SETPIPE_SZ``)."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
