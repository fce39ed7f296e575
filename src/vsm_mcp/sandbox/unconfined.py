"""A program without a sandbox: a clean environment, a home and a temporary directory of its own, no walls.

Its direct child dies with the daemon (``setpriv --pdeathsig``). What that child started is found by markers in the
environment, by us and, after a ``kill -9`` of the daemon, by the guard; a program that drops its environment escapes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Final

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.cgroup import start_time
from vsm_mcp.sandbox.confinement import CORE_BYTES, HOME, Command, Confinement
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.running import Running, popen
from vsm_mcp.sandbox.tool import death_signal
from vsm_mcp.sandbox.watchdog import Watchdog

MARKER: Final = "VSM_MCP_PROCESS"


class Unconfined:
    """See :class:`~vsm_mcp.sandbox.scope.Scope`."""

    def __init__(self, running: Running, marker: str, scratch: Path, memory_bytes: int) -> None:
        self._running = running
        self._marker = marker
        self._scratch = scratch
        self._watchdog = Watchdog(self, memory_bytes)

    @property
    def pid(self) -> int:
        """The direct child: ``setpriv`` replaces itself by the program."""
        return self._running.pid

    def processes(self) -> list[int]:
        """Return the direct child and its descendants."""
        return [] if self._running.exited.done() else [self._running.pid, *tree.descendants(self._running.pid)]

    def end(self) -> None:
        """Kill what can be found: descendants, and whoever carries the marker."""
        tree.send([*self.processes(), *tree.marked(f"{MARKER}={self._marker}")], signal.SIGKILL)
        self._running.send(signal.SIGKILL)

    def out_of_memory(self) -> bool:
        """Whether the watchdog ended it."""
        return self._watchdog.killed

    def peak_memory(self) -> int | None:
        """Return what the watchdog saw."""
        return self._watchdog.peak or None

    def adapt(self, confinement: Confinement) -> bool:
        """Tell the watchdog, and set the number of open files of each process."""
        try:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, (confinement.open_files, confinement.open_files))
        except (OSError, ValueError):
            return False
        self._watchdog.limit = confinement.memory_bytes
        return True

    async def settle(self) -> None:
        """Kill what the child left behind, and remove its scratch directory."""
        tree.send(tree.marked(f"{MARKER}={self._marker}"), signal.SIGKILL)
        await self._watchdog.stop()
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)


def start(command: Command, confinement: Confinement, token: str) -> tuple[Running, Unconfined]:
    """Start a program. Raises :class:`SandboxUnavailable` when it cannot be started at all."""
    own = os.getpid()
    scratch = Path(tempfile.mkdtemp(prefix=f"vsm-mcp.{own}.{start_time(own)}-"))  # see leftovers.py
    marker = secrets.token_hex(8)
    try:
        temporary = scratch / "tmp"
        temporary.mkdir()
        env = {name: _moved(value, scratch) for name, value in command.env.items()}
        env |= {"TMPDIR": str(temporary), MARKER: marker, VARIABLE: token}
        running = popen([*death_signal(), *command.argv], env=env, cwd=_moved(command.cwd, scratch))
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise SandboxUnavailable(f"{command.argv[0]} cannot be started: {error.strerror or error}") from error
    for kind, limit in ((resource.RLIMIT_NOFILE, confinement.open_files), (resource.RLIMIT_CORE, CORE_BYTES)):
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(running.pid, kind, (limit, limit))
    return running, Unconfined(running, marker, scratch, confinement.memory_bytes)


def _moved(value: str, scratch: Path) -> str:
    """The home of the sandbox does not exist out here."""
    return str(scratch) + value[len(HOME) :] if value == HOME or value.startswith(f"{HOME}/") else value
