"""Nothing is left: not after a stop, not after a crash, not after ``kill -9`` of the daemon, at any point.

A program is known by a marker in its arguments, which everything it forks shares.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from vsm_mcp.sandbox import cgroup
from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.sandbox.tool import run_tool

PYTHON = f"{sys.base_prefix}/bin/python3"
PLAIN = Confinement(read_only=(sys.base_prefix,))
ENV = {"PATH": "/usr/bin:/bin"}

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        break
print("up", flush=True)
while True:
    time.sleep(60)
"""

TOOL = """
import subprocess, sys, time
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], **quiet)
time.sleep(600)
"""

DAEMON = """
import asyncio, os, sys
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tool import run_tool

async def main(python, prefix, code, marker, mode, tool):
    isolation = await (probe(bwrap="/nowhere", landlock=0) if mode == "bare" else probe(soft=mode == "soft"))
    async with Sandbox(isolation) as sandbox:
        print("ready", flush=True)
        command = Command(argv=(python, "-I", "-S", "-c", code, marker))
        children = [
            await sandbox.spawn(command, Confinement(read_only=(prefix,)), name=f"server {n}", unsandboxed=True)
            for n in range(3)
        ]
        install = asyncio.ensure_future(
            run_tool([python, "-I", "-S", "-c", tool, marker], env={}, cwd="/", timeout=600)
        )
        for child in children:
            os.set_blocking(child.stdout_fd, True)
            os.read(child.stdout_fd, 2)
        await asyncio.sleep(0)
        print("up", flush=True)
        await install

asyncio.run(main(*sys.argv[1:]))
"""


def alive(marker: str) -> list[int]:
    """Return the processes that carry the marker, zombies left out (they have no arguments)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition; return how long it took, or fail."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come true in time"
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.fixture
def marker() -> str:
    return f"marker-{secrets.token_hex(8)}"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    isolation = await probe()
    if not isolation.tier.reaches(Tier.FULL_SOFT):
        pytest.skip(f"no sandbox here: {isolation.reasons}")
    async with Sandbox(isolation) as opened:
        yield opened


async def stubborn(sandbox: Sandbox, marker: str) -> Child:
    command = Command(argv=(PYTHON, "-I", "-S", "-c", STUBBORN, marker), env=ENV)
    child = await sandbox.spawn(command, PLAIN, name="stubborn", unsandboxed=True)
    for _ in range(2):
        await asyncio.wait_for(_said(child.stdout_fd), 20)
    return child


async def _said(descriptor: int) -> bytes:
    os.set_blocking(descriptor, True)
    return await asyncio.to_thread(os.read, descriptor, 3)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def close(child: Child) -> None:
    for descriptor in (child.stdin_fd, child.stdout_fd, child.stderr_fd):
        os.close(descriptor)


async def test_stop_leaves_nothing_of_a_stubborn_server(sandbox: Sandbox, marker: str) -> None:
    child = await stubborn(sandbox, marker)
    assert len(child.processes()) >= 3
    assert child.pid in alive(marker)
    close(child)
    ended = await child.stop(0.1)
    assert alive(marker) == []
    assert ended.signal == signal.SIGKILL
    assert child.processes() == []


async def test_sigterm_reaches_the_server(sandbox: Sandbox, marker: str) -> None:
    code = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('up', flush=True)\ntime.sleep(60)"
    )
    command = Command(argv=(PYTHON, "-I", "-S", "-c", code, marker), env=ENV)
    child = await sandbox.spawn(command, PLAIN, name="polite")
    await asyncio.wait_for(_said(child.stdout_fd), 20)
    ended = await child.stop(10)
    close(child)
    assert ended.code == 7
    assert alive(marker) == []


async def test_end_of_the_server_is_the_end_of_what_it_left(sandbox: Sandbox, marker: str) -> None:
    code = STUBBORN.replace("while True", "if os.getppid() == 1 and os.getpid() == 2: sys.exit(3)\nwhile True")
    command = Command(argv=(PYTHON, "-I", "-S", "-c", code, marker), env=ENV)
    child = await sandbox.spawn(command, PLAIN, name="leaver")
    ended = await asyncio.wait_for(child.wait(), 20)
    close(child)
    assert ended.code == 3
    assert alive(marker) == []


async def test_killed_from_outside_is_told(sandbox: Sandbox, marker: str) -> None:
    child = await stubborn(sandbox, marker)
    os.kill(child.pid, signal.SIGKILL)
    ended = await asyncio.wait_for(child.wait(), 10)
    close(child)
    assert ended.signal == signal.SIGKILL
    assert not ended.oom
    assert alive(marker) == []


async def test_leaving_the_sandbox_ends_all(marker: str) -> None:
    async with Sandbox(await probe()) as opened:
        if not opened.isolation.tier.reaches(Tier.FULL_SOFT):
            pytest.skip("no sandbox here")
        for child in await asyncio.gather(*(stubborn(opened, marker) for _ in range(3))):
            close(child)
    assert alive(marker) == []
    layout = opened.isolation.cgroup
    if layout is not None:
        assert not list(Path(layout.memory).glob(f"vsm-mcp.{os.getpid()}.*"))


async def test_cancelled_start_leaves_nothing(sandbox: Sandbox, marker: str) -> None:
    command = Command(argv=(PYTHON, "-I", "-S", "-c", STUBBORN, marker), env=ENV)
    await sandbox.run(Command(argv=("/bin/true",)), PLAIN, name="first", timeout=10)  # now the guard is up
    descriptors = open_descriptors()
    for milliseconds in range(0, 40, 4):
        task = asyncio.ensure_future(sandbox.spawn(command, PLAIN, name="cancelled"))
        await asyncio.wait([task], timeout=milliseconds / 1000)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            child = task.result()
            close(child)
            await child.kill()
    assert alive(marker) == []
    assert open_descriptors() == descriptors


async def test_unsandboxed_is_ended_too(marker: str) -> None:
    async with Sandbox(await probe(bwrap="/nowhere/bwrap", landlock=0)) as sandbox:
        child = await stubborn(sandbox, marker)
        assert child.tier is Tier.NONE
        close(child)
        ended = await child.stop(0.1)
        assert ended.signal == signal.SIGKILL
        until(lambda: not alive(marker), 2)


async def test_unsandboxed_has_a_clean_environment_and_a_home_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSM_TEST_OF_THE_DAEMON", "x")
    async with Sandbox(await probe(bwrap="/nowhere/bwrap", landlock=0)) as sandbox:
        command = Command(argv=("/usr/bin/env",), env={"PATH": "/usr/bin", "HOME": "/home/mcp", "KEY": "value"})
        child = await sandbox.spawn(command, PLAIN, name="env", unsandboxed=True)
        await child.wait()
        text = (await asyncio.to_thread(os.read, child.stdout_fd, 65536)).decode()
        close(child)
    given = dict(line.split("=", 1) for line in text.splitlines())
    home = given.pop("HOME")
    assert home.startswith("/tmp/vsm-mcp.")
    assert given.pop("TMPDIR") == f"{home}/tmp"
    assert given.pop("VSM_MCP_PROCESS")
    assert given.pop("VSM_MCP_GUARD")
    assert given == {"PATH": "/usr/bin", "KEY": "value"}
    assert not Path(home).exists()


async def test_tool_is_ended_on_timeout_and_on_cancellation(marker: str) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]])"
    call = [PYTHON, "-I", "-S", "-c", code, marker]
    done = await run_tool(call, env=ENV, cwd="/", timeout=0.5)
    assert done.timed_out
    assert not done.ok
    until(lambda: not alive(marker), 2)
    task = asyncio.ensure_future(run_tool(call, env=ENV, cwd="/", timeout=60))
    await asyncio.to_thread(until, lambda: len(alive(marker)) >= 2, 10)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    until(lambda: not alive(marker), 2)


def daemon(marker: str, mode: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-c", DAEMON, PYTHON, sys.base_prefix, STUBBORN, marker, mode, TOOL]
    return subprocess.Popen(call, stdout=subprocess.PIPE, start_new_session=True)


@pytest.mark.parametrize("mode", ["limits", "soft", "bare"])
@pytest.mark.parametrize("ending", ["KILL", "ABRT", "SEGV", "TERM", "INT"])
def test_end_of_the_daemon_leaves_nothing(marker: str, mode: str, ending: str) -> None:
    """Killed, aborting, crashing, ended without a chance to clean up, and (INT) stopped in good order.

    Its servers ignore signals, fork twice, leave their session and hold the pipes open; a tool of ours runs, too.
    """
    process = daemon(marker, mode)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert process.stdout.readline() == b"up\n"
    until(lambda: len(alive(marker)) >= 3 * 3 + 2, 20)
    process.send_signal(signal.Signals[f"SIG{ending}"])
    process.wait(20)
    process.stdout.close()
    until(lambda: not alive(marker), 1.0)


@pytest.mark.parametrize("mode", ["limits", "soft", "bare"])
@pytest.mark.parametrize("leave", ["exit", "crash", "linger", "closed"])
async def test_end_of_a_server_leaves_nothing(marker: str, mode: str, leave: str) -> None:
    """By itself, by a crash, by hanging until it is stopped, and after it closed its own pipes."""
    ways = {"exit": "sys.exit(3)", "crash": "os.abort()", "linger": "pass", "closed": "os.closerange(0, 3)"}
    itself = f"if os.getpid() == first:\n    sys.stdin.read()\n    {ways[leave]}\nwhile True"
    code = f"import os; first = os.getpid()\n{STUBBORN}".replace("while True", itself)
    isolation = await (probe(bwrap="/nowhere", landlock=0) if mode == "bare" else probe(soft=mode == "soft"))
    async with Sandbox(isolation) as sandbox:
        command = Command(argv=(PYTHON, "-I", "-S", "-c", code, marker), env=ENV)
        server = await sandbox.spawn(command, PLAIN, name="server", unsandboxed=True)
        for _ in range(3):  # itself, and what it forked twice
            assert await asyncio.wait_for(_said(server.stdout_fd), 20) == b"up\n"
        assert len(alive(marker)) >= 3
        close(server)
        ended = await (server.stop(0.1) if leave in {"linger", "closed"} else asyncio.wait_for(server.wait(), 20))
        await asyncio.to_thread(until, lambda: not alive(marker), 1.0)
        if leave in {"exit", "crash"}:
            assert ended.code == 3 if leave == "exit" else ended.signal == signal.SIGABRT


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["limits", "soft"])
def test_kill_9_at_any_point_of_a_start_leaves_nothing(marker: str, mode: str) -> None:
    for step in range(30):
        process = daemon(marker, mode)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(step * 0.003)  # the point in time is the case
        process.kill()
        process.wait()
        process.stdout.close()
        until(lambda: not alive(marker), 1.0)


def test_next_start_sweeps_the_control_groups_of_a_killed_daemon(marker: str) -> None:
    layout = cgroup.find()
    if layout is None:
        pytest.skip("no control group can be written here")
    process = daemon(marker, "limits")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not alive(marker), 1.0)
    left = list(Path(layout.memory).glob(f"vsm-mcp.{process.pid}.*"))
    assert left
    cgroup.sweep(layout)
    assert not any(path.exists() for path in left)
