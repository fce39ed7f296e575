"""A program inside bubblewrap: starting it step by step, and ending all of it.

bubblewrap sets everything up and then waits (``--block-fd``). Only when its first process is in the control group and
has its resource limits is it let go; that it read our byte proves that every mount was made. If the daemon dies
meanwhile, either the death signal or the broken ``--info-fd`` pipe ends bubblewrap, so nothing starts unwatched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import bubblewrap, handing, idmap, seccomp, tracing, tree
from vsm_mcp.sandbox.cgroup import Bounds, Group
from vsm_mcp.sandbox.confinement import CORE_BYTES, Command, Confinement
from vsm_mcp.sandbox.egress.gate import Gate
from vsm_mcp.sandbox.gauge import kept_disk
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.homes import prepare
from vsm_mcp.sandbox.mounts import Mount, check_cwd, plan
from vsm_mcp.sandbox.running import Running, Watched, collect, popen
from vsm_mcp.sandbox.watchdog import Soft, Watchdog

_SETUP_SECONDS: Final = 20.0
_SETTLE_SECONDS: Final = 5.0
_TOP: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


class Confined:
    """See :class:`~vsm_mcp.sandbox.scope.Scope`: all that lives below one PID 1."""

    def __init__(
        self,
        init: Watched,
        group: Group | None,
        gate: Gate | None,
        confinement: Confinement,
        release: Callable[[], None],
    ) -> None:
        self._init = init
        self._confinement = confinement
        self._group = group
        self._gate = gate
        self._release = release
        self._pid = 0
        self._oom = False
        self._peak: int | None = None
        soft = Soft(memory=0 if group else confinement.memory_bytes, disks=kept_disk(confinement))
        self._watchdog = Watchdog(self, soft) if soft.memory or soft.disks else None

    @property
    def pid(self) -> int:
        """The first process below PID 1; PID 1 itself in the instant before it exists."""
        if not self._pid:
            self._pid = next(iter(tree.children(self._init.pid)), 0)
        return self._pid or self._init.pid

    def processes(self) -> list[int]:
        """Return all processes below PID 1, whatever session or group they moved to."""
        return [] if self._init.ended.done() else tree.descendants(self._init.pid)

    def end(self) -> None:
        """Kill PID 1: the kernel ends its whole namespace."""
        self._init.kill()

    def out_of_memory(self) -> bool:
        """Whether the kernel, or the watchdog in its place, killed for want of memory."""
        return self._oom or (self._watchdog is not None and self._watchdog.out_of_memory)

    def exceeded(self) -> str:
        """Return ``home`` where a kept one grew too large; the kernel refuses what is beyond the other limits."""
        return self._watchdog.exceeded if self._watchdog is not None else ""

    def peak_memory(self) -> int | None:
        """Return what the control group, or the watchdog, counted."""
        if self._group is not None:
            return self._group.peak_memory()
        return self._peak or (self._watchdog.peak if self._watchdog is not None else 0) or None

    def adapt(self, confinement: Confinement) -> bool:
        """See :class:`~vsm_mcp.sandbox.scope.Scope`; limits of single processes need the right to set them."""
        before, memory = self._confinement, confinement.memory_bytes
        try:
            if (before.processes, before.open_files) != (confinement.processes, confinement.open_files):
                for pid in (self._init.pid, *self.processes()):
                    with contextlib.suppress(ProcessLookupError):
                        set_limits(pid, confinement)
            if self._group is not None:
                self._group.change(Bounds(memory_bytes=memory, processes=confinement.processes))
        except (OSError, ValueError):
            return False
        if self._watchdog is not None:
            soft = self._watchdog.limits
            self._watchdog.limits = Soft(memory=soft.memory and memory, disks=soft.disks and kept_disk(confinement))
        self._confinement = confinement
        return True

    def limit_cpu(self, cpus: float) -> None:
        """Set the quota of the control group, if there is one."""
        if self._group is not None:
            self._group.limit_cpu(cpus)

    async def settle(self) -> None:
        """Wait until the namespace is empty; read the last counts; remove the group."""
        self._init.kill()
        await asyncio.wait([self._init.ended], timeout=_SETTLE_SECONDS)
        if self._gate is not None:
            await self._gate.close()
        if self._watchdog is not None:
            await self._watchdog.stop()
        if self._group is not None:
            self._oom = self._group.oom_killed()
            self._peak = self._group.peak_memory()
            await asyncio.to_thread(self._group.remove)
            self._group = None
        self._release()


async def start(
    variant: bubblewrap.Variant,
    command: Command,
    confinement: Confinement,
    group: Group | None,
    release: Callable[[], None],
    gate: Gate | None = None,
) -> tuple[Running, Confined]:
    """Start a program in the sandbox; ``release`` is called when all of it is gone.

    Raises :class:`BadArgument` for a path that cannot be granted, :class:`SandboxUnavailable` with bubblewrap's own
    words when the sandbox cannot be set up.
    """
    mounts = plan(confinement)
    check_cwd(command.cwd, mounts)
    attempt = _Attempt(variant, command, confinement, group, gate)
    try:
        async with asyncio.timeout(_SETUP_SECONDS):
            if confinement.home:
                await asyncio.to_thread(prepare, Path(confinement.home), variant.uid)
            running, init = await attempt.run(mounts)
    except BaseException as error:
        reason = await asyncio.shield(attempt.undo())
        if isinstance(error, (OSError, TimeoutError, ValueError)):
            raise SandboxUnavailable(f"the sandbox could not be set up: {reason or error}", _hint(reason)) from error
        raise
    return running, Confined(init, group, gate, confinement, release)


class _Attempt:
    """One start, with what has to be undone if it fails."""

    def __init__(
        self,
        variant: bubblewrap.Variant,
        command: Command,
        confinement: Confinement,
        group: Group | None,
        gate: Gate | None,
    ) -> None:
        self._variant = variant
        self._command = command
        self._confinement = confinement
        self._group = group
        self._gate = gate
        self._running: Running | None = None
        self._init: Watched | None = None
        self._named: asyncio.Future[int] | None = None
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)

    async def run(self, mounts: tuple[Mount, ...]) -> tuple[Running, Watched]:
        limits = self._confinement
        bounds = Bounds(memory_bytes=limits.memory_bytes, processes=limits.processes)
        making = asyncio.ensure_future(self._in_thread("create", bounds))
        steps: list[asyncio.Future[None]] = [making]
        try:
            if self._gate is not None:
                self._gate.prepare(self._variant.token)
            with self._theirs:
                running, info = self._popen(mounts, self._theirs.fileno())
            self._running = running
            self._named = asyncio.ensure_future(_child_pid(info))
            init = self._init = Watched(await asyncio.shield(self._named))
            running.trace_begun()
            if self._gate is not None:
                steps.append(asyncio.ensure_future(_open(self._gate, init)))
            await making
            set_limits(init.pid, limits)
            await self._in_thread("attach", init.pid)
            await asyncio.gather(*steps)
            await _let_go(self._ours)
        finally:
            for step in steps[1:]:
                step.cancel()
            await asyncio.wait(steps)
        self._ours.close()
        return running, init

    async def undo(self) -> str:
        """Kill what runs and remove the group; return what bubblewrap said.

        Its first process has to be known before anything is killed: alone, it would wait forever.
        """
        said = b""
        if self._named is not None and self._init is None:
            await asyncio.wait([self._named], timeout=_SETTLE_SECONDS)
            with contextlib.suppress(ValueError, ProcessLookupError, asyncio.InvalidStateError):
                self._init = Watched(self._named.result())
        if self._init is not None:
            self._init.kill()
        self._ours.close()  # not before: it would let bubblewrap go
        self._theirs.close()
        if self._running is not None:
            if self._init is None:
                self._running.send(signal.SIGKILL)
            self._running.trace_begun()
            if self._running.trace_fd >= 0:
                os.close(self._running.trace_fd)
            os.close(self._running.pipes.stdin)
            os.close(self._running.pipes.stdout)
            said, _ = await collect(self._running.pipes.stderr, 4096)
            await self._running.exited
        if self._init is not None:
            await asyncio.wait([self._init.ended], timeout=_SETTLE_SECONDS)
        if self._gate is not None:
            await self._gate.close()
        if self._group is not None:
            await asyncio.to_thread(self._group.remove)
        return said.decode("utf-8", "replace").strip()

    async def _in_thread(self, step: str, value: Bounds | int) -> None:
        if self._group is not None:
            await asyncio.to_thread(getattr(self._group, step), value)

    def _popen(self, mounts: tuple[Mount, ...], block: int) -> tuple[Running, int]:
        """Start bubblewrap; return it and our end of the pipe on which it names its first process."""
        variant, command, confinement = self._variant, self._command, self._confinement
        info, info_child = os.pipe2(os.O_CLOEXEC)
        try:
            with (
                _contents(bubblewrap.files(variant, confinement.network) | confinement.planted) as files,
                memory_file(seccomp.program()) as filter_fd,
            ):
                descriptors = bubblewrap.Descriptors(info=info_child, block=block, seccomp=filter_fd, files=files)
                given = bubblewrap.options(variant, system(), command, confinement, mounts, descriptors)
                with memory_file(b"\0".join(os.fsencode(part) for part in given)) as options:
                    inner = bubblewrap.inner(variant, command, confinement)
                    argv = [variant.token, "--args", str(options), "--", *inner]
                    inherited = (info_child, block, filter_fd, options, *files.values())
                    mapped = [mount.path for mount in mounts if mount.mapped]
                    before: list[str] = []
                    if variant.uid is not None and mapped:
                        before = idmap.prelude(sys.executable, variant.uid, mapped)
                    if command.tracer:
                        return _traced(variant, command.tracer, before, argv, inherited), info
                    if not before:
                        return popen(argv, env={}, pass_fds=inherited, executable=variant.bwrap), info
                    argv = [*before, variant.bwrap, *argv]
                    return popen(argv, env={VARIABLE: variant.token}, pass_fds=inherited), info
        except BaseException:
            os.close(info)
            raise
        finally:
            os.close(info_child)


def set_limits(pid: int, confinement: Confinement) -> None:
    """Set the limits of one process; what it starts inherits them. In a user namespace the count is its own.

    Set on PID 1 while it waits, they hold for all below. Raises :class:`OSError` for more than may be given.
    """
    for kind, limit in (
        (resource.RLIMIT_NPROC, confinement.processes),
        (resource.RLIMIT_NOFILE, confinement.open_files),
        (resource.RLIMIT_CORE, CORE_BYTES),
        (resource.RLIMIT_RTPRIO, 0),  # a daemon of a session for sound, say, may pass these two on
        (resource.RLIMIT_NICE, 0),
    ):
        most = resource.getrlimit(kind)[1]
        allowed = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.prlimit(pid, kind, (allowed, allowed))


async def _open(gate: Gate, init: Watched) -> None:
    network = init.namespace("net")
    try:
        await gate.open(network)
    finally:
        os.close(network)


def _traced(
    variant: bubblewrap.Variant, strace: str, before: list[str], argv: list[str], inherited: Sequence[int]
) -> Running:
    """Start bubblewrap under strace, which reports on a pipe of ours: it opens that itself, so nobody inherits it."""
    report, report_in = os.pipe2(os.O_CLOEXEC)
    try:
        with handing.hand(inherited) as handed:
            first = handing.prelude(sys.executable, handed.fileno(), keep_environment=bool(before))
            program = [*before[:1], *before, variant.bwrap, *argv]  # each program's file, then its argv
            watched = [*tracing.prelude(strace, f"/proc/{os.getpid()}/fd/{report_in}"), *first, *program]
            running = popen(watched, env={VARIABLE: variant.token}, pass_fds=(handed.fileno(),))
    except BaseException:
        os.close(report)
        os.close(report_in)
        raise
    os.set_blocking(report, False)
    running.traced(report, report_in)
    return running


async def _child_pid(info: int) -> int:
    """Read the pid of the sandbox's PID 1 from ``--info-fd`` (a JSON object, written in pieces)."""
    text, _ = await collect(info, 65536)
    try:
        found: dict[str, Any] = json.loads(text)
        return int(found["child-pid"])
    except (ValueError, KeyError) as error:
        raise ValueError("bubblewrap ended before the sandbox was ready") from error


async def _let_go(ours: socket.socket) -> None:
    """Let bubblewrap run the program. A reset means that it died before it read our byte: a mount failed."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(ours, b"\n")
    await loop.sock_recv(ours, 1)


@cache
def system() -> bubblewrap.System:
    """Read the host's layout, once."""
    top = {}
    for path in map(Path, _TOP):
        if path.is_symlink():
            top[str(path)] = str(path.readlink())
        elif path.is_dir():
            top[str(path)] = ""
    localtime = Path("/etc/localtime")
    return bubblewrap.System(top=top, localtime=str(localtime.resolve()) if localtime.exists() else "")


@contextlib.contextmanager
def memory_file(content: bytes) -> Iterator[int]:
    """Lend an anonymous file with some content, to be inherited."""
    descriptor = os.memfd_create("vsm-mcp", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _contents(files: dict[str, bytes]) -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        yield {path: stack.enter_context(memory_file(content)) for path, content in files.items()}


def _hint(reason: str) -> str:
    if "idmapped" in reason:
        return "grant a path on another file system, or run the daemon as an ordinary user"
    if "No such file or directory" in reason:
        return "a path that the sandbox needs does not exist"
    return "`vsm-mcp doctor` shows what this machine allows"
