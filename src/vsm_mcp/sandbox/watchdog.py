"""Soft limits, where the kernel gives no hard ones: they can be outrun."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.model.beat import until_beat
from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.scope import Scope

_PERIOD_SECONDS: Final = 0.25
_DISK_PERIODS: Final = 4
_DISK_SHARE: Final = 20


class Soft(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked after: bytes of memory, threads in all processes, and bytes on disk below ``disk`` (0: not)."""

    memory: int = 0
    threads: int = 0
    disk: Path | None = None
    disk_bytes: int = 0


class Watchdog:
    """Looks at a program four times a second, and at its disk once, and ends it above a limit.

    ``broke`` names the limit then: ``memory``, ``processes`` or ``scratch``. ``peak`` is the most memory it saw.
    """

    def __init__(self, scope: Scope, limits: Soft) -> None:
        self.peak = 0
        self.broke = ""
        self._scope = scope
        self.limits = limits
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Stop looking."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        rest = _DISK_PERIODS
        while not self.broke:
            if self.limits.memory or self.limits.threads:
                self._count()
            rest -= 1
            if self.limits.disk is not None and rest <= 0 and not self.broke:
                began = time.monotonic()
                if await asyncio.to_thread(used, self.limits.disk) > self.limits.disk_bytes:
                    self.broke = "scratch"
                rest = _DISK_PERIODS + round((time.monotonic() - began) * _DISK_SHARE / _PERIOD_SECONDS)
            if not self.broke:
                await asyncio.sleep(until_beat(_PERIOD_SECONDS, asyncio.get_running_loop().time()))
        self._scope.end()

    def _count(self) -> None:
        found = self._scope.processes()
        now = tree.memory(found)
        self.peak = max(self.peak, now)
        if self.limits.memory and now > self.limits.memory:
            self.broke = "memory"
        elif self.limits.threads and tree.threads(found) > self.limits.threads:
            self.broke = "processes"


def used(root: Path) -> int:
    """Return the bytes that a directory takes on disk, with all below it; symbolic links are not followed."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_blocks * 512
    return total
