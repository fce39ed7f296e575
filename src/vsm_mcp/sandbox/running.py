"""One child process of ours, watched through a pidfd: no thread waits for it, and no signal can hit a stranger."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

import msgspec


class Pipes(msgspec.Struct, frozen=True, kw_only=True):
    """Our ends of a child's standard streams; whoever holds this closes them."""

    stdin: int
    stdout: int
    stderr: int

    def close(self) -> None:
        """Close all three, those already closed included."""
        for descriptor in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class Running:
    """A direct child. ``exited`` gets its return code (negative: killed by that signal).

    ``trace_fd`` is our end of the pipe on which it is reported what it does, or -1; whoever reads it closes it.
    """

    def __init__(self, process: subprocess.Popen[bytes], pipes: Pipes) -> None:
        self.pid = process.pid
        self.pipes = pipes
        self.trace_fd = -1
        self._trace_in = -1
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._process = process
        self._pidfd = -1
        self._watch()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child; nothing happens if it is gone."""
        self._process.poll()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL; nothing happens if it is gone."""
        if not self.exited.done():
            self.send(signal.SIGKILL)

    def send_group(self, number: signal.Signals) -> None:
        """Send a signal to the child's process group, which it leads."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def traced(self, out: int, into: int) -> None:
        """Take the two ends of the pipe on which it is reported what the child does."""
        self.trace_fd, self._trace_in = out, into

    def trace_begun(self) -> None:
        """Close our copy of the writing end: whoever reports has opened it."""
        if self._trace_in >= 0:
            os.close(self._trace_in)
            self._trace_in = -1

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        if hasattr(os, "pidfd_open"):
            self._pidfd = os.pidfd_open(self.pid)
            loop.add_reader(self._pidfd, self._ended)
        else:
            threading.Thread(target=self._wait, args=(loop,), daemon=True, name=f"wait {self.pid}").start()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._process.wait()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        code = self._process.wait()
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if not self.exited.done():
            self.exited.set_result(code)


def popen(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    cwd: str | None = None,
    executable: str | None = None,
) -> Running:
    """Start a child in a session of its own with pipes for its streams.

    ``executable`` is what runs where ``argv[0]`` is only a name. Must be called on the event loop's thread: the
    kernel ties the death signal to the thread that forks. Raises :class:`OSError`.
    """
    stdin_child, stdin = os.pipe()
    stdout, stdout_child = os.pipe()
    stderr, stderr_child = os.pipe()
    pipes = Pipes(stdin=stdin, stdout=stdout, stderr=stderr)
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=stdin_child,
            stdout=stdout_child,
            stderr=stderr_child,
            env=dict(env),
            cwd=cwd,
            executable=executable,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except BaseException:
        pipes.close()
        raise
    finally:
        for descriptor in (stdin_child, stdout_child, stderr_child):
            os.close(descriptor)
    for descriptor in (stdin, stdout, stderr):
        os.set_blocking(descriptor, False)
    return Running(process, pipes)


class Watched:
    """A process that is not our child (the sandbox's PID 1), held by a pidfd."""

    def __init__(self, pid: int) -> None:
        """Raises :class:`ProcessLookupError` if it is gone already."""
        self.pid = pid
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._gone)

    def kill(self) -> None:
        """Send SIGKILL; for the first process of a pid namespace that ends all in it."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def namespace(self, kind: str) -> int:
        """Open one of its namespaces (``net``). Raises :class:`OSError`, also if it is gone."""
        found = os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            signal.pidfd_send_signal(self._pidfd, 0)  # else its id may have been another's
        except OSError:
            os.close(found)
            raise
        return found

    def _gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        with contextlib.suppress(ChildProcessError):  # ours to reap only if this daemon is PID 1 or a subreaper
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        os.close(self._pidfd)
        self._pidfd = -1
        if not self.ended.done():
            self.ended.set_result(None)


class Outputs:
    """Both outputs of a program, read from now on; each keeps its first ``limit`` bytes."""

    def __init__(self, stdout: int, stderr: int, limit: int) -> None:
        self._reading = [asyncio.ensure_future(collect(descriptor, limit)) for descriptor in (stdout, stderr)]

    async def last(self, seconds: float) -> tuple[bytes, bytes, bool]:
        """Return stdout, stderr and whether there was more, once the program is over.

        An output that something still holds open after ``seconds`` is given up; nothing goes on reading.
        """
        try:
            await asyncio.wait(self._reading, timeout=seconds)
        finally:
            for reading in self._reading:
                reading.cancel()
        done = [await _or_nothing(reading) for reading in self._reading]
        return done[0][0], done[1][0], any(more for _, more in done)


async def _or_nothing(reading: asyncio.Future[tuple[bytes, bool]]) -> tuple[bytes, bool]:
    await asyncio.wait([reading])
    return (b"", True) if reading.cancelled() else reading.result()


async def collect(descriptor: int, limit: int) -> tuple[bytes, bool]:
    """Read a pipe to its end and close it; keep the first ``limit`` bytes, say whether there were more."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    kept = bytearray()
    more = False

    def ready() -> None:
        nonlocal more
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            loop.remove_reader(descriptor)
            if not done.done():
                done.set_result(None)
        else:
            room = limit - len(kept)
            more = more or len(chunk) > room
            kept.extend(chunk[: max(room, 0)])

    loop.add_reader(descriptor, ready)
    try:
        await done
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return bytes(kept), more
