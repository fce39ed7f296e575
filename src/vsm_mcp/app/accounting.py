"""Resources, limits and counts of the servers of one home, as ``status`` and ``inspect`` show them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from vsm_mcp.app import accounts
from vsm_mcp.app.counters import Counters
from vsm_mcp.config import Config
from vsm_mcp.deferred import deferred
from vsm_mcp.errors import UnknownPermissions
from vsm_mcp.model.permissions import Permissions
from vsm_mcp.runtime.permissions import UNSAID, profile_of
from vsm_mcp.runtime.status import Status
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.sandbox.tier import Isolation

if TYPE_CHECKING:
    import psutil
else:
    psutil = deferred("psutil")


class Accounting:
    """Puts together what the runtime sees and what was counted; ``config`` gives the settings in force."""

    def __init__(
        self, runtime: Runtime, counters: Counters, isolation: Isolation, config: Callable[[], Config]
    ) -> None:
        self._runtime = runtime
        self._counters = counters
        self._isolation = isolation
        self._config = config

    async def all(self) -> list[dict[str, Any]]:
        """Return every server with its state and its account."""
        await self._runtime.resources.look_again()
        return [msgspec.to_builtins(status) | self.of(status) for status in self._runtime.statuses()]

    def of(self, status: Status) -> dict[str, Any]:
        """Return the account of one server, from the last look."""
        name, config, usage = status.name, self._config(), self._runtime.resources.of(status.name)
        remote = self._runtime.server(name).installation.entry.remote
        size = 0 if remote else log_size(self._runtime.log_path(name))
        return {
            "resources": accounts.resources(usage, status, size),
            "limits": accounts.limits(config, self._isolation, self._profile(name), remote=remote),
            "counters": {**self._counters.of(name), "calls": self._runtime.tally(name).calls},
        }

    def _profile(self, name: str) -> Permissions:
        try:
            return profile_of(self._runtime.server(name).settings, self._config())
        except UnknownPermissions:  # it is not started before there is one
            return UNSAID

    async def closely(self, name: str) -> dict[str, Any]:
        """Return the account of one server after a look at it. Raises :class:`UnknownServer`."""
        await self._runtime.resources.look_closely(name)
        return self.of(self._runtime.status(name))

    def own(self) -> dict[str, Any]:
        """Return what this process itself uses."""
        own = psutil.Process()
        with own.oneshot():
            return {
                "rss_bytes": own.memory_info().rss,
                "cpu_seconds": round(time.process_time(), 2),
                "threads": own.num_threads(),
                "open_files": own.num_fds() if hasattr(own, "num_fds") else None,
                "tasks": len(asyncio.all_tasks()),
            }

    def totals(self) -> dict[str, int]:
        """Return what was counted in all since the start."""
        return {**self._counters.totals(), "calls": self._runtime.calls}


def log_size(path: Path) -> int:
    """Return the bytes of a server's log and of the one before it."""
    size = 0
    for file in (path, path.with_name(f"{path.name}.1")):
        try:
            size += file.stat().st_size
        except OSError:
            continue
    return size
