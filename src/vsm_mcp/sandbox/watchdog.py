"""A soft memory limit, where no control group gives a hard one: it can be outrun."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.scope import Scope

_PERIOD_SECONDS: Final = 0.25


class Watchdog:
    """Looks at a program's memory four times a second and ends it above ``limit`` bytes."""

    def __init__(self, scope: Scope, limit: int) -> None:
        self.peak = 0
        self.killed = False
        self._scope = scope
        self.limit = limit
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Stop looking."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        while True:
            now = tree.memory(self._scope.processes())
            self.peak = max(self.peak, now)
            if now > self.limit:
                self.killed = True
                self._scope.end()
                return
            await asyncio.sleep(_PERIOD_SECONDS)
