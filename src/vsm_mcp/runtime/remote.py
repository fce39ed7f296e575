"""A conversation with a server that runs elsewhere: an instance without a process of ours."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from vsm_mcp.config import Runtime as Limits
from vsm_mcp.errors import LoginNeeded, ServerDown, VsmError
from vsm_mcp.events import Emit, ServerStarted
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.transports import first_spoken, transports_to
from vsm_mcp.sandbox.confinement import Exit
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.transport import Target

_CLOSE_SECONDS: Final = 5.0


class Remote:
    """See :class:`~vsm_mcp.runtime.process.Instance`."""

    def __init__(self, connection: Connection, transport: str, tier: str = "remote") -> None:
        self.connection = connection
        self.transport = transport
        self.pid: int | None = None
        self.exit: Exit | None = None
        self.tier = tier

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """Nothing: what it writes, it writes elsewhere."""
        return ()

    def adapt(self, _spec: ServerSpec, _limits: Limits) -> bool:
        """There is nothing that could be limited here."""
        return True

    async def ended(self) -> str:
        """Wait until the conversation is over; return why."""
        return await asyncio.shield(self.connection.closed)

    async def probe(self, seconds: float) -> str:
        """Ask nothing: what it has beside MCP is its own affair."""
        return ""

    @property
    def junk(self) -> int:
        """None: it has no stdout here."""
        return 0

    async def ask(self) -> bool:
        """Nothing is asked of it: leaving it is all there is."""
        return True

    async def kill(self) -> None:
        """Drop the conversation without taking leave."""
        self.connection.fail("the connection was dropped")

    async def stop(self) -> None:
        """Take leave."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.connection.close()
        except TimeoutError:
            self.connection.fail("the connection was closed")


async def open_remote(spec: ServerSpec, emit: Emit) -> Remote:
    """Open a conversation with ``spec.url``, over the transport that is known or the first that the server speaks.

    Raises :class:`ServerDown` with its ``cause``.
    """
    began = time.monotonic()
    if spec.url is None:
        raise ServerDown(f"{spec.name} has no address", "add it again")
    try:
        target = Target(url=spec.url, headers=spec.headers, max_message=spec.max_message, authorizer=spec.authorizer)
        ways = sorted(transports_to(target), key=lambda way: way.kind != spec.known_transport)  # the others as they are
        remote = Remote(*await first_spoken(ways, spec.name, spec.start_timeout, spec.known_era))
    except VsmError as error:
        cause = Cause(code=error.code, message=error.message, hint=error.hint)
        mended = f": vsm-mcp login {spec.name}" if isinstance(error, LoginNeeded) else ""
        raise ServerDown(f"{spec.name} cannot be reached: {error.message}{mended}", error.hint, cause) from error
    seconds = round(time.monotonic() - began, 3)
    era = remote.connection.era
    emit(ServerStarted(server=spec.name, pid=0, era=era, tier=remote.tier, seconds=seconds, session=spec.session))
    return remote
