"""Everything that belongs to a program without a process namespace of its own, as far as it can be found.

With a control group (a job object on Windows) that is everything: nothing gets out of it. A server with a uid of its
own cannot hide either. Else it is what descends from the program, what was once seen to, and what carries a marker in
the environment it was started with; a program that drops its environment and detaches itself between two looks is not
found.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import signal
import time
from collections.abc import Callable
from typing import Final

import msgspec

from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.cgroup import Bounds, Group
from vsm_mcp.sandbox.confinement import Confinement
from vsm_mcp.sandbox.job import Job
from vsm_mcp.sandbox.running import Running
from vsm_mcp.sandbox.scratch import Scratch
from vsm_mcp.sandbox.watchdog import Soft, Watchdog

MARKER: Final = "VSM_MCP_PROCESS"
_SETTLE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.005


class Traces:
    """What is known of one program from before its start, and has to be given back after its end.

    A uid tells nothing of it where its home is kept: other processes of the same server have both.
    """

    def __init__(
        self, scratch: Scratch, group: Group | Job | None, uid: int | None, release: Callable[[], None]
    ) -> None:
        self.marker = secrets.token_hex(8)
        self.scratch = scratch
        self.group = group
        self.uid = uid
        self._release = release

    async def drop(self) -> None:
        """Remove the group and the scratch directory, once nothing runs."""
        if self.group is not None:
            await asyncio.to_thread(self.group.remove)
            self.group = None
        await asyncio.to_thread(self.scratch.remove)
        self._release()


class Loose:
    """See :class:`~vsm_mcp.sandbox.scope.Scope`."""

    def __init__(self, running: Running, traces: Traces, soft: Soft) -> None:
        """``soft`` is what the kernel does not limit."""
        self._running = running
        self._traces = traces
        self._seen: dict[int, int] = {}
        self._oom = False
        self._peak: int | None = None
        self._watchdog = Watchdog(self, soft)

    @property
    def pid(self) -> int:
        """The direct child: what starts a program replaces itself by it."""
        return self._running.pid

    def processes(self) -> list[int]:
        """Return the group's processes; without one the direct child and what descends from it, or did when seen."""
        if self._traces.group is not None:
            return self._traces.group.processes()
        roots = [] if self._running.exited.done() else [self._running.pid]
        roots += [pid for pid, started in self._seen.items() if tree.started(pid) == started]
        found = {pid: tree.started(pid) for root in roots for pid in (root, *tree.descendants(root))}
        self._seen = {pid: started for pid, started in found.items() if started}
        own = [] if self._running.exited.done() else [self._running.pid]  # known without /proc, too
        return list(dict.fromkeys([*own, *self._seen]))

    def end(self) -> None:
        """Kill all that can be found."""
        if self._traces.group is not None:
            self._traces.group.kill()
        self._running.send_group(signal.SIGKILL)
        tree.send(self._left(), signal.SIGKILL)
        self._running.send(signal.SIGKILL)

    def out_of_memory(self) -> bool:
        """Whether the kernel, or the watchdog in its place, killed for want of memory."""
        return self._oom or self._watchdog.out_of_memory

    def exceeded(self) -> str:
        """Return what else the watchdog ended it for."""
        return self._watchdog.exceeded

    def peak_memory(self) -> int | None:
        """Return what the control group, or the watchdog, counted."""
        if self._traces.group is not None:
            return self._traces.group.peak_memory()
        return self._peak or self._watchdog.peak or None

    def adapt(self, confinement: Confinement) -> bool:
        """See :class:`~vsm_mcp.sandbox.scope.Scope`; limits of single processes need the right to set them."""
        group, soft, files = self._traces.group, self._watchdog.limits, confinement.open_files
        try:
            if group is not None:
                group.change(Bounds(memory_bytes=confinement.memory_bytes, processes=confinement.processes))
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, files))
                    if self._traces.uid is not None:
                        most = confinement.processes
                        resource.prlimit(pid, resource.RLIMIT_NPROC, (most, most))
        except (OSError, ValueError, AttributeError):  # the last where this is not Linux
            return False
        self._watchdog.limits = msgspec.structs.replace(
            soft,
            memory=soft.memory and confinement.memory_bytes,
            threads=soft.threads and confinement.processes,
            disks=self._traces.scratch.disks(confinement) if soft.disks else (),
        )
        return True

    def limit_cpu(self, cpus: float) -> None:
        """Set the quota of the control group, if there is one."""
        if self._traces.group is not None:
            self._traces.group.limit_cpu(cpus)

    async def settle(self) -> None:
        """Kill what the child left behind until nothing more is found; remove what was private to it."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        self._running.send_group(signal.SIGKILL)
        while self._left() and time.monotonic() < deadline:
            self.end()
            await asyncio.sleep(_PAUSE_SECONDS)
        await self._watchdog.stop()
        if self._traces.group is not None:
            self._oom = self._traces.group.oom_killed()
            self._peak = self._traces.group.peak_memory()
        await self._traces.drop()

    def _left(self) -> list[int]:
        """Return all that can be found by any trace."""
        found = [*self.processes(), *tree.marked(f"{MARKER}={self._traces.marker}")]
        if self._traces.uid is not None and not self._traces.scratch.kept:
            found += tree.owned(self._traces.uid)
        return list(dict.fromkeys(found))
