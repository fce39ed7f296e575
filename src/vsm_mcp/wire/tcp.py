"""MCP over a TCP connection: one message a line, as over stdio.

The specification leaves it to a custom transport to say how it frames messages (2026-07-28, "Transports: Custom
Transports"); lines are what servers in the wild use. There are no headers and there is no TLS: whoever needs either
uses HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from vsm_mcp.wire.address import read_address
from vsm_mcp.wire.dial import dial
from vsm_mcp.wire.lines import LineTransport, Reader, Writer
from vsm_mcp.wire.transport import Target


class _Both(asyncio.Protocol):
    """Hands what happens on one socket to the two halves of a conversation."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self.transport: Any = None
        self._reader = reader
        self._writer = writer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._reader.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._reader.data_received(data)

    def pause_writing(self) -> None:
        self._writer.pause_writing()

    def resume_writing(self) -> None:
        self._writer.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.connection_lost(exc)
        self._writer.connection_lost(exc)


class TcpTransport(LineTransport):
    """A server at ``tcp://HOST:PORT``."""

    kind = "tcp"

    def __init__(self, target: Target) -> None:
        super().__init__(max_line=target.max_message)
        self._target = target

    async def _attach(self, reader: Reader, writer: Writer) -> asyncio.WriteTransport:
        """Connect; raises :class:`TransportError` for an unusable URL and when nothing answers there."""
        address = read_address(self._target.url, {"tcp"})
        both = await dial(address, lambda: _Both(reader, writer), sockets=self._target.sockets)
        return cast("asyncio.WriteTransport", both.transport)  # uvloop's is one in all but its class

    def _hang_up(self) -> None:
        if self._out.can_write_eof() and not self._out.is_closing():
            self._out.write_eof()

    def _let_go(self) -> None:
        self._out.close()
