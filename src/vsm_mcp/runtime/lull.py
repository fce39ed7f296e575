"""Waiting until nobody wants anything of a connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from vsm_mcp.wire.connection import Connection

_LOOK_SECONDS: Final = 0.02


async def lull(connection: Connection, patience: float) -> None:
    """Wait until a connection has no calls in flight, or is closed, for ``patience`` seconds at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while connection.calls and not connection.closed.done():  # noqa: ASYNC110 - a call path without events
                await asyncio.sleep(_LOOK_SECONDS)
