"""The endpoint over stdio: one message a line (specification, "Transports: stdio")."""

from __future__ import annotations

import asyncio
from typing import Final

from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.peer import Peer
from vsm_mcp.gateway.pipes import Lines, Out, attach
from vsm_mcp.gateway.view import View

_MAX_CALLS: Final = 1024
_LAST_ANSWERS_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 2.0


async def serve_stdio(gateway: Gateway, read_fd: int, write_fd: int, view: View | None = None) -> None:
    """Serve one client over two file descriptors until it closes its end; both are closed at the end.

    It sees ``view`` (default: everything).

    Nothing but protocol messages is written. Calls in flight when the client closes its end have five seconds to be
    answered. Raises :class:`ConfigError` when the descriptors are no pipes.
    """
    await _Pipe(gateway, view or gateway.view).run(read_fd, write_fd)


class _Pipe:
    """The pipes of one client, and who may write to them."""

    def __init__(self, gateway: Gateway, view: View) -> None:
        self._out = Out(self._pause)
        self._peer = Peer(gateway, view, self._out, self._hold)
        self._limit = gateway.settings.max_body_bytes
        self._reading: asyncio.ReadTransport | None = None
        self._held = False
        self._out_paused = False

    async def run(self, read_fd: int, write_fd: int) -> None:
        lines = Lines(self._peer.take, self._limit)
        self._reading = await attach(read_fd, write_fd, lines, self._out)
        try:
            await asyncio.wait({lines.ended, self._out.closed}, return_when=asyncio.FIRST_COMPLETED)
            if not self._out.closed.done():
                await self._peer.finish(_LAST_ANSWERS_SECONDS)
        finally:
            self._out.flush()
            self._reading.close()
            await self._peer.close()
            await self._out.close(_FLUSH_SECONDS)

    # --- back pressure --------------------------------------------------------------------------------------------

    def _pause(self, paused: bool) -> None:
        self._out_paused = paused
        self._hold()

    def _hold(self) -> None:
        """Read no further while the client does not read, or while it has too many calls open."""
        if self._reading is None or self._reading.is_closing():
            return
        hold = self._out_paused or len(self._peer) >= _MAX_CALLS
        if hold and not self._held:
            self._reading.pause_reading()
        elif self._held and not hold:
            self._reading.resume_reading()
        self._held = hold
