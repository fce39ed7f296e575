"""A program in the reduced tier: walls of Landlock and the call filter instead of namespaces, put up by ``enclose``.

What is missing beside the full tier: it sees that other files and processes exist (not what is in them), a grant cannot
hold an exception, its home lies on disk, and no host can be allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from vsm_mcp.errors import BadArgument, SandboxUnavailable
from vsm_mcp.sandbox import enclose, seccomp, tree
from vsm_mcp.sandbox.bubblewrap import ETC
from vsm_mcp.sandbox.cgroup import Bounds, Group
from vsm_mcp.sandbox.confined import memory_file, system
from vsm_mcp.sandbox.confinement import CORE_BYTES, Command, Confinement
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.loose import MARKER, Loose, Traces
from vsm_mcp.sandbox.mounts import Mount, check_cwd, plan
from vsm_mcp.sandbox.running import Running, popen
from vsm_mcp.sandbox.scratch import Scratch
from vsm_mcp.sandbox.watchdog import Soft

_SETUP_SECONDS: Final = 20.0
_FILES: Final = ("/usr", "/proc", "/etc/passwd", "/etc/group", "/etc/localtime", *ETC)
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SPARE_PROCESSES: Final = 4096


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """``abi`` is the version of Landlock, ``uid`` the server's own under a root daemon; ``token`` is for the guard.

    ``canary`` has the walls tried from inside before the program starts (see :mod:`vsm_mcp.sandbox.probe`).
    """

    abi: int
    token: str
    uid: int | None = None
    canary: str = ""


async def start(
    variant: Variant,
    command: Command,
    confinement: Confinement,
    group: Group | None,
    release: Callable[[], None],
) -> tuple[Running, Loose]:
    """Start a program; ``release`` is called when all of it is gone.

    Raises :class:`BadArgument` for a path that cannot be granted, :class:`SandboxUnavailable` when the walls cannot be
    put up, naming the path if one is in the way.
    """
    mounts = plan(confinement)
    check_cwd(command.cwd, mounts)
    check(mounts)
    attempt = _Attempt(variant, command, confinement)
    try:
        async with asyncio.timeout(_SETUP_SECONDS):
            return await attempt.run(mounts, group, release)
    except BaseException as error:
        await asyncio.shield(attempt.undo(group))
        if isinstance(error, (OSError, TimeoutError)):
            raise SandboxUnavailable(f"the sandbox could not be set up: {error}", _hint(str(error))) from error
        raise


def check(mounts: tuple[Mount, ...]) -> None:
    """Raise :class:`BadArgument` for a grant with an exception in it: Landlock only ever adds rights further down."""
    writable = [mount.path for mount in mounts if mount.kind == "rw"]
    given = [mount.path for mount in mounts if mount.kind != "hidden"]
    for mount in mounts:
        above = {"ro": writable, "rw": [], "hidden": given}[mount.kind]
        outer = next((path for path in above if mount.path.startswith(f"{path}/") or mount.path == path), None)
        if outer is not None:
            what = "stay hidden" if mount.kind == "hidden" else "be read-only"
            raise BadArgument(
                f"the path {outer} cannot be granted in the reduced tier: {mount.path} in it has to {what}",
                "grant a narrower path",
            )


class _Attempt:
    """One start, with what has to be undone if it fails."""

    def __init__(self, variant: Variant, command: Command, confinement: Confinement) -> None:
        self._variant = variant
        self._command = command
        self._confinement = confinement
        self._scratch: Scratch | None = None
        self._running: Running | None = None
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)

    async def run(
        self, mounts: tuple[Mount, ...], group: Group | None, release: Callable[[], None]
    ) -> tuple[Running, Loose]:
        limits = self._confinement
        if group is not None:
            bounds = Bounds(memory_bytes=limits.memory_bytes, processes=limits.processes)
            await _whole(group.create, bounds)
        count = await asyncio.to_thread(self._processes, group)
        scratch = self._scratch = Scratch(self._variant.uid, limits.home)
        await _whole(Scratch.open_home, scratch)
        traces = Traces(scratch, group, self._variant.uid, release)
        with self._theirs:
            running = self._running = self._popen(mounts, traces, count)
        if group is not None:
            await _whole(group.attach, running.pid)
        await self._let_go()
        self._ours.close()
        soft = Soft(
            memory=0 if group else limits.memory_bytes,
            threads=0 if group or self._variant.uid is not None else limits.processes,
            disks=scratch.disks(limits),
        )
        return running, Loose(running, traces, soft)

    async def undo(self, group: Group | None) -> None:
        """Kill what runs, and remove the group and the scratch directory."""
        self._ours.close()
        self._theirs.close()
        if self._running is not None:
            self._running.send(signal.SIGKILL)
            self._running.pipes.close()
            await self._running.exited
        if group is not None:
            await asyncio.to_thread(group.remove)
        if self._scratch is not None:
            await asyncio.to_thread(self._scratch.remove)

    def _popen(self, mounts: tuple[Mount, ...], traces: Traces, processes: int) -> Running:
        marks = {MARKER: traces.marker, VARIABLE: self._variant.token}
        with memory_file(marshal.dumps(self._plan(mounts, traces.scratch, marks, processes))) as plan_fd:
            control = self._theirs.fileno()
            argv = enclose.prelude(sys.executable, control, plan_fd)
            return popen(argv, env=marks, pass_fds=(control, plan_fd))

    def _plan(
        self, mounts: tuple[Mount, ...], scratch: Scratch, marks: dict[str, str], processes: int
    ) -> dict[str, Any]:
        """Return what :mod:`~vsm_mcp.sandbox.enclose` is told; it goes through a file that nobody else can read."""
        variant, command, limits = self._variant, self._command, self._confinement
        cwd = scratch.moved(command.cwd)
        paths = [(path, "ro") for path in (*_FILES, *(path for path, target in system().top.items() if not target))]
        paths += [(path, "device") for path in _DEVICES]
        paths += [(mount.path, mount.kind) for mount in mounts] + [(str(folder), "rw") for folder in scratch.folders]
        held = variant.abi >= enclose.SIGNALS_ABI or variant.uid is not None
        kinds = ("reduced",) if held else ("reduced", "signals")
        return {
            "argv": [scratch.moved(part) for part in command.argv],
            "env": {"PWD": cwd} | scratch.environment(command.env) | marks,
            "cwd": cwd,
            "paths": paths,
            "demands": [(mount.path, mount.kind == "rw") for mount in mounts],
            "uid": -1 if variant.uid is None else variant.uid,
            "limits": [
                *([(resource.RLIMIT_NPROC, processes)] if processes else []),
                (resource.RLIMIT_NOFILE, limits.open_files),
                (resource.RLIMIT_CORE, CORE_BYTES),
                (resource.RLIMIT_RTPRIO, 0),  # which a daemon of a session for sound, say, may have
                (resource.RLIMIT_NICE, 0),
            ],
            "filters": [seccomp.program(kind) for kind in kinds],
            "abi": variant.abi,
            "parent": os.getpid(),
            "canary": variant.canary,
        }

    def _processes(self, group: Group | None) -> int:
        """Return the limit of processes, which the kernel counts by user; 0: none.

        A server with a uid of its own has it for itself. One that shares it is limited by its group or by the
        watchdog; here only so far that it cannot take all that the machine has.
        """
        if self._variant.uid is not None:
            return self._confinement.processes
        if group is not None:
            return 0
        return tree.threads(tree.owned(os.getuid())) + self._confinement.processes + _SPARE_PROCESSES

    async def _let_go(self) -> None:
        """Let it put up its walls and start the program; raise :class:`OSError` with what it says instead."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._ours, b"\n")
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := await loop.sock_recv(self._ours, 4096):
                said += chunk
        if said:
            raise OSError(said.decode("utf-8", "replace"))


async def _whole(call: Callable[[Any], None], value: Any) -> None:
    """Have a thread do it, and be there when it is done, even when cancelled: it can be undone only then."""
    doing = asyncio.ensure_future(asyncio.to_thread(call, value))
    try:
        await asyncio.shield(doing)
    finally:
        await asyncio.wait([doing])


def _hint(reason: str) -> str:
    if "own user" in reason:
        return (
            "under a root daemon each server has a user of its own: open the path to others (chmod o+rx, o+w to write),"
            " keep the home of vsm-mcp elsewhere (VSM_MCP_HOME=/var/lib/vsm-mcp), or run the daemon as an ordinary user"
        )
    return "`vsm-mcp doctor` shows what this machine allows"
