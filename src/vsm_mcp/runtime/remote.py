"""A conversation with a server that runs elsewhere: an instance without a process."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from vsm_mcp.errors import ServerDown, VsmError
from vsm_mcp.events import Emit, ServerStarted
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.negotiate import connect

_CLOSE_SECONDS: Final = 5.0


class Remote:
    """See :class:`~vsm_mcp.runtime.process.Instance`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.pid: int | None = None
        self.tier = "remote"

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """Nothing: what it writes, it writes elsewhere."""
        return ()

    async def ended(self) -> str:
        """Wait until the conversation is over; return why."""
        return await asyncio.shield(self.connection.closed)

    async def stop(self) -> None:
        """Take leave."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.connection.close()
        except TimeoutError:
            self.connection.fail("the connection was closed")


async def open_remote(spec: ServerSpec, emit: Emit) -> Remote:
    """Open a conversation with ``spec.url``. Raises :class:`ServerDown` with its ``cause``."""
    began = time.monotonic()
    if spec.url is None:
        raise ServerDown(f"{spec.name} has no address", "add it again")
    try:
        transport = HttpTransport(spec.url, headers=spec.headers)
        connection = await connect(transport, timeout=spec.start_timeout, known_era=spec.known_era)
    except VsmError as error:
        cause = Cause(code=error.code, message=error.message, hint=error.hint)
        raise ServerDown(f"{spec.name} cannot be reached: {error.message}", error.hint, cause) from error
    seconds = round(time.monotonic() - began, 3)
    emit(
        ServerStarted(server=spec.name, pid=0, era=connection.era, tier="remote", seconds=seconds, session=spec.session)
    )
    return Remote(connection)
