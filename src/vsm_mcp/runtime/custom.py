"""A server of the embedding program's own making: whatever carries messages there counts as an instance."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from vsm_mcp.errors import ServerDown, VsmError
from vsm_mcp.events import Emit, ServerStarted
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.remote import Remote
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Transport

StartTransport = Callable[[ServerSpec], Awaitable[Transport]]
"""Starts a server and returns what carries messages to it, not opened yet; closing that has to end it.

Called for each start, restarts as well. Whatever it raises means that the server did not start.
"""

TIER: Final = "custom"


async def open_custom(spec: ServerSpec, start: StartTransport, emit: Emit) -> Remote:
    """Start a server by the function that was given for it, and shake hands.

    ``spec.start_timeout`` covers the handshake; what the function does before is its own affair. Raises
    :class:`ServerDown` with its ``cause``.
    """
    began = time.monotonic()
    try:
        transport = await start(spec)
        connection = await connect(transport, timeout=spec.start_timeout, known_era=spec.known_era)
    except VsmError as error:
        cause = Cause(code=error.code, message=error.message, hint=error.hint)
        raise ServerDown(f"{spec.name} did not start: {error.message}", error.hint, cause) from error
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        cause = Cause(code="custom", message=said, hint="the function that starts it raised this")
        raise ServerDown(f"{spec.name} did not start: {said}", cause.hint, cause) from error
    seconds = round(time.monotonic() - began, 3)
    emit(ServerStarted(server=spec.name, pid=0, era=connection.era, tier=TIER, seconds=seconds, session=spec.session))
    return Remote(connection, transport.kind, TIER)
