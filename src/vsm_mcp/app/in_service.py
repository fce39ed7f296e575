"""What is in service, kept well: rollouts, health, the autopilot, telemetry. Each part has a module of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from vsm_mcp.app.autopiloting import Autopiloting
from vsm_mcp.app.capabilities import Capabilities
from vsm_mcp.app.looking_after import looking_after
from vsm_mcp.app.rollouts import ROLLOUTS, Rollouts
from vsm_mcp.app.service_measures import ServiceMeasures
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
        app.bus.subscribe(self.capabilities)
        app.routing.stand_in(self.capabilities)
        self.healing = looking_after(app, lambda: self.capabilities)
        self.rollouts = Rollouts(app)
        self.rollouts.stand_ins = self.capabilities.stand_ins
        self.autopilot = Autopiloting(app)
        self.telemetry.measures.also.append(ServiceMeasures(app))
        self.answering: dict[str, object] = {
            "capabilities": self.capabilities,
            "conditions": self.healing,
            **dict.fromkeys(ROLLOUTS, self.rollouts),
            **self.autopilot.answering,
        }

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the loops of all parts run; leaving it ends them."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.telemetry.running())
            await stack.enter_async_context(self.rollouts.running())
            await stack.enter_async_context(self.autopilot.running())
            stack.push_async_callback(_ended, asyncio.get_running_loop().create_task(self.healing.run(), name="health"))
            yield

    def configured(self) -> None:
        """Take in that other settings count from now on."""
        self.telemetry.configured()
        self.healing.configured()
        self.autopilot.configured()

    async def beside(self, rows: Iterable[dict[str, Any]], *, closely: bool = False) -> list[dict[str, Any]]:
        """Return rows about servers, each with what of it waits for a person, and how it is."""
        found = await self._app.approvals.beside(rows)
        return [self.healing.beside(row, closely=closely) for row in found]

    async def status(self) -> dict[str, Any]:
        """Return what ``status`` shows besides the servers."""
        return self.healing.report() | await self.autopilot.status()

    def rows(self) -> list[dict[str, Any]]:
        """Return what ``doctor`` says of all of it."""
        return self.healing.rows()


async def _ended(task: asyncio.Task[None]) -> None:
    """End a loop. Raises what ended it before, if anything did."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (failure := task.exception()) is not None:
        raise failure
