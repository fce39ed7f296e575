"""What is in service, kept well: rollouts, health, the autopilot, telemetry. Each part has a module of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from vsm_mcp.app.capabilities import Capabilities
from vsm_mcp.app.telemetry import Telemetry

if TYPE_CHECKING:
    from vsm_mcp.app.application import App


class InService:
    """The parts that look after what runs; made when a home is opened.

    ``answering`` says, by operation of the control interface, which part has a method of that name. What a part does
    by itself, in a loop, it does while :meth:`running` is entered: in the daemon, never in a command on its own.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.telemetry = Telemetry(app)
        self.capabilities = Capabilities(lambda: app.config, app.fleet, app.store, app.tasks)
        app.routing.stand_in(self.capabilities)
        self.answering: dict[str, object] = {"capabilities": self.capabilities}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the loops of all parts run; leaving it ends them."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.telemetry.running())
            yield

    def configured(self) -> None:
        """Take in that other settings count from now on."""
        self.telemetry.configured()
