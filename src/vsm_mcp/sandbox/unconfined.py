"""A program without a sandbox: a clean environment, a home and a temporary directory of its own, no walls.

Its direct child dies with the daemon (``setpriv --pdeathsig``). What that child started is found by
:class:`~vsm_mcp.sandbox.loose.Loose`, and after a ``kill -9`` of the daemon by the guard.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox.cgroup import Group
from vsm_mcp.sandbox.confinement import CORE_BYTES, Command, Confinement
from vsm_mcp.sandbox.gauge import kept_disk
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.job import Job, kernel32
from vsm_mcp.sandbox.loose import MARKER, Loose, Traces
from vsm_mcp.sandbox.running import Running, popen
from vsm_mcp.sandbox.scratch import Scratch
from vsm_mcp.sandbox.tool import death_signal
from vsm_mcp.sandbox.watchdog import Soft


def start(command: Command, confinement: Confinement, token: str) -> tuple[Running, Loose]:
    """Start a program. Raises :class:`SandboxUnavailable` when it cannot be started at all."""
    scratch = None
    try:
        scratch = Scratch(kept=confinement.home)
        scratch.open_home()
        traces = Traces(scratch, _job(confinement), None, lambda: None)
        env = scratch.environment(command.env) | {MARKER: traces.marker, VARIABLE: token}
        running = popen([*death_signal(), *map(scratch.moved, command.argv)], env=env, cwd=scratch.moved(command.cwd))
        if traces.group is not None:
            _attach(running, traces.group)
    except OSError as error:
        if scratch is not None:
            scratch.remove()
        raise SandboxUnavailable(f"{command.argv[0]} cannot be started: {error.strerror or error}") from error
    _limit(running.pid, confinement)
    memory = 0 if traces.group else confinement.memory_bytes
    return running, Loose(running, traces, Soft(memory=memory, disks=kept_disk(confinement)))


def _attach(running: Running, group: Group | Job) -> None:
    try:
        group.attach(running.pid)
    except OSError:
        running.send(signal.SIGTERM)  # which on Windows ends it at once
        raise


def _job(confinement: Confinement) -> Job | None:
    if sys.platform != "win32":
        return None
    return Job(kernel32(), confinement.memory_bytes, confinement.processes)


def _limit(pid: int, confinement: Confinement) -> None:
    for kind, limit in ((resource.RLIMIT_NOFILE, confinement.open_files), (resource.RLIMIT_CORE, CORE_BYTES)):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the last where this is not Linux
            resource.prlimit(pid, kind, (limit, limit))
