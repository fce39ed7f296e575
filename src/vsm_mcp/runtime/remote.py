"""A conversation with a server that runs elsewhere: an instance without a process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from vsm_mcp.config import Runtime as Limits
from vsm_mcp.errors import HttpRefused, LoginNeeded, ServerDown, VsmError
from vsm_mcp.events import Emit, ServerStarted
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.transports import transports_to
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Target, Transport

_CLOSE_SECONDS: Final = 5.0
_NOT_SPOKEN: Final = frozenset({200, 400, 404, 405, 406})
"""How a server refuses that does not speak a transport: the three that the specification names for a POST of
``initialize``, and what a GET of something that is no stream of events may lead to."""


class Remote:
    """See :class:`~vsm_mcp.runtime.process.Instance`."""

    def __init__(self, connection: Connection, transport: str) -> None:
        self.connection = connection
        self.transport = transport
        self.pid: int | None = None
        self.tier = "remote"

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
        remote = await _first(ways, spec)
    except VsmError as error:
        cause = Cause(code=error.code, message=error.message, hint=error.hint)
        mended = f": vsm-mcp login {spec.name}" if isinstance(error, LoginNeeded) else ""
        raise ServerDown(f"{spec.name} cannot be reached: {error.message}{mended}", error.hint, cause) from error
    seconds = round(time.monotonic() - began, 3)
    era = remote.connection.era
    emit(ServerStarted(server=spec.name, pid=0, era=era, tier=remote.tier, seconds=seconds, session=spec.session))
    return remote


async def _first(ways: Iterable[Transport], spec: ServerSpec) -> Remote:
    """Connect over the first transport that the server speaks, within the time that a start may take.

    Specification 2026-07-28, "Transports: Streamable HTTP: Backwards Compatibility". When it speaks none of them, what
    it said to the first is raised.
    """
    deadline = time.monotonic() + spec.start_timeout
    refused: HttpRefused | None = None
    for way in ways:
        left = max(deadline - time.monotonic(), 0.0)
        try:
            connection = await connect(way, timeout=left, known_era=way.only_era or spec.known_era)
        except HttpRefused as error:
            if error.status not in _NOT_SPOKEN:
                raise
            refused = refused or error
        else:
            return Remote(connection, way.kind)
    raise refused or ServerDown(f"{spec.name} has no way to be reached", "reinstall the plug-in for its address")
