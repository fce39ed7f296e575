"""What the gateway needs from whoever keeps the servers running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Raw


class Channel(Protocol):
    """One conversation with one server: :class:`vsm_mcp.wire.connection.Connection`, as far as it is used here."""

    @property
    def era(self) -> str:
        """``modern`` or ``legacy``."""
        ...

    async def request(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float,
        on_notification: Callable[[str, Raw], None] | None = None,
    ) -> Raw:
        """Ask and await the raw result; ``timeout`` is in seconds.

        Raises :class:`vsm_mcp.errors.RpcError`, :class:`RequestTimeout` or :class:`TransportError`. When the caller is
        cancelled, the server is told.
        """
        ...


class Upstream(Protocol):
    """Gives a conversation with a server, starting the server when it must."""

    async def connection(self, server: str, timeout: float) -> Channel:
        """Return a ready conversation with ``server``, within ``timeout`` seconds.

        Raises any :class:`vsm_mcp.errors.VsmError` that says why there is none (:class:`ServerDown` as a rule).
        """
        ...
