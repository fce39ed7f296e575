"""Soft limits, where the kernel gives no hard ones: they can be outrun."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

import msgspec

from vsm_mcp.model.beat import until_beat
from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.gauge import Disk, Gauge
from vsm_mcp.sandbox.scope import Scope

_PERIOD_SECONDS: Final = 0.25
_DISK_PERIODS: Final = 4
_DISK_SHARE: Final = 100


class Soft(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked after: bytes of memory, threads in all processes (0: not), and folders on disk."""

    memory: int = 0
    threads: int = 0
    disks: tuple[Disk, ...] = ()


class Watchdog:
    """Looks at a program four times a second, at its disks once, and ends it above a limit.

    Disks are counted where they may have grown, large ones less often: a hundredth of the time goes into it.

    ``broke`` names the limit then: ``memory``, ``processes``, ``scratch`` or ``home``. ``peak`` is the most memory it
    saw.
    """

    def __init__(self, scope: Scope, limits: Soft) -> None:
        self.peak = 0
        self.broke = ""
        self.limits = limits
        self._scope = scope
        self._gauge = Gauge()
        self._task = asyncio.get_running_loop().create_task(self._look())

    @property
    def out_of_memory(self) -> bool:
        """Whether it ended it for its memory."""
        return self.broke == "memory"

    @property
    def exceeded(self) -> str:
        """The limit but that of memory for which it ended it, or ""."""
        return "" if self.out_of_memory else self.broke

    async def stop(self) -> None:
        """Stop looking."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        rest = _DISK_PERIODS
        while not self.broke:
            counted = bool(self.limits.memory or self.limits.threads)
            if counted:
                self._count()
            rest -= 1 if counted else _DISK_PERIODS
            if self.limits.disks and rest <= 0 and not self.broke and self._gauge.due(self.limits.disks):
                began = time.monotonic()
                self.broke = await asyncio.to_thread(self._gauge.over, self.limits.disks)
                rest = _DISK_PERIODS + round((time.monotonic() - began) * _DISK_SHARE / _PERIOD_SECONDS)
            if not self.broke:
                period = _PERIOD_SECONDS if counted else _PERIOD_SECONDS * _DISK_PERIODS
                await asyncio.sleep(until_beat(period, asyncio.get_running_loop().time()))
        self._scope.end()

    def _count(self) -> None:
        found = self._scope.processes()
        now = tree.memory(found)
        self.peak = max(self.peak, now)
        if self.limits.memory and now > self.limits.memory:
            self.broke = "memory"
        elif self.limits.threads and tree.threads(found) > self.limits.threads:
            self.broke = "processes"
