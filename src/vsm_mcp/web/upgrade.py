"""What a front hands over when a client goes on in another protocol (RFC 9110, section 7.8)."""

from __future__ import annotations

from typing import Final, Protocol

TUNNEL: Final = "vsm_mcp.tunnel"
"""An extension of the ASGI scope: there where the client offered WebSocket and the application takes such offers."""


class Tunnel(Protocol):
    """The connection, once its request is answered with 101."""

    def open(self, head: bytes) -> None:
        """Write the whole head of the answer; from now on bytes go both ways as they are."""
        ...

    def write(self, data: bytes) -> None:
        """Write to the client."""
        ...

    async def drained(self) -> None:
        """Wait while the client does not read."""
        ...

    async def received(self, seconds: float) -> bytes | None:
        """Return what the client sent, ``b""`` where it sent nothing for so long, ``None`` once it has gone."""
        ...
