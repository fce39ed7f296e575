"""Nothing is left: not after a stop, not after a crash, not after ``kill -9`` of the daemon, at any point.

A program is known by a marker in its arguments, which everything it forks shares.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.sandboxes import ENV, PLAIN, PYTHON, Daemons, alive, close, none, until, whole

from vsm_mcp.sandbox import cgroup
from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import Command
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.sandbox.tool import run_tool

GONE_SECONDS = 30
"""A few milliseconds where a namespace ends with its daemon, less than a second where the guard does it, on a machine
that is not busy."""

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


@pytest.fixture
def marker() -> str:
    return f"marker-{secrets.token_hex(8)}"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(await whole()) as opened:
        yield opened


@pytest.fixture(scope="module")
def daemons() -> Iterator[Daemons]:
    with Daemons() as made:
        yield made


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
    async with Sandbox(await whole()) as opened:
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
    async with Sandbox(await none()) as sandbox:
        child = await stubborn(sandbox, marker)
        assert child.tier is Tier.NONE
        close(child)
        ended = await child.stop(0.1)
        assert ended.signal == signal.SIGKILL
        until(lambda: not alive(marker), GONE_SECONDS)


async def test_unsandboxed_has_a_clean_environment_and_a_home_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSM_TEST_OF_THE_DAEMON", "x")
    async with Sandbox(await none()) as sandbox:
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
    until(lambda: not alive(marker), GONE_SECONDS)
    task = asyncio.ensure_future(run_tool(call, env=ENV, cwd="/", timeout=60))
    await asyncio.to_thread(until, lambda: len(alive(marker)) >= 2, 10)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    until(lambda: not alive(marker), GONE_SECONDS)


@pytest.mark.parametrize("mode", ["limits", "soft", "bare"])
@pytest.mark.parametrize("ending", ["KILL", "ABRT", "SEGV", "TERM", "INT"])
def test_end_of_the_daemon_leaves_nothing(daemons: Daemons, marker: str, mode: str, ending: str) -> None:
    """Killed, aborting, crashing, ended without a chance to clean up, and (INT) stopped in good order.

    Its servers ignore signals, fork twice, leave their session and hold the pipes open; a tool of ours runs, too.
    """
    daemons.start(mode, STUBBORN, marker, servers=3, tool=TOOL)
    daemons.wait_until_up()
    until(lambda: len(alive(marker)) >= 3 * 3 + 2, 20)
    daemons.end(signal.Signals[f"SIG{ending}"])
    until(lambda: not alive(marker), GONE_SECONDS)


@pytest.mark.parametrize("mode", ["limits", "soft", "bare"])
@pytest.mark.parametrize("leave", ["exit", "crash", "linger", "closed"])
async def test_end_of_a_server_leaves_nothing(marker: str, mode: str, leave: str) -> None:
    """By itself, by a crash, by hanging until it is stopped, and after it closed its own pipes."""
    ways = {"exit": "sys.exit(3)", "crash": "os.abort()", "linger": "pass", "closed": "os.closerange(0, 3)"}
    itself = f"if os.getpid() == first:\n    sys.stdin.read()\n    {ways[leave]}\nwhile True"
    code = f"import os; first = os.getpid()\n{STUBBORN}".replace("while True", itself)
    async with Sandbox(await (none() if mode == "bare" else whole(soft=mode == "soft"))) as sandbox:
        command = Command(argv=(PYTHON, "-I", "-S", "-c", code, marker), env=ENV)
        server = await sandbox.spawn(command, PLAIN, name="server", unsandboxed=True)
        for _ in range(3):  # itself, and what it forked twice
            assert await asyncio.wait_for(_said(server.stdout_fd), 20) == b"up\n"
        assert len(alive(marker)) >= 3
        close(server)
        ended = await (server.stop(0.1) if leave in {"linger", "closed"} else asyncio.wait_for(server.wait(), 20))
        await asyncio.to_thread(until, lambda: not alive(marker), GONE_SECONDS)
        if leave in {"exit", "crash"}:
            assert ended.code == 3 if leave == "exit" else ended.signal == signal.SIGABRT


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["limits", "soft"])
def test_kill_9_at_any_point_of_a_start_leaves_nothing(daemons: Daemons, marker: str, mode: str) -> None:
    for step in range(30):
        daemons.start(mode, STUBBORN, marker, servers=3, tool=TOOL)
        time.sleep(step * 0.003)  # the point in time is the case
        daemons.end(signal.SIGKILL)
        until(lambda: not alive(marker), GONE_SECONDS)


def test_next_start_sweeps_the_control_groups_of_a_killed_daemon(daemons: Daemons, marker: str) -> None:
    layout = cgroup.find()
    if layout is None:
        pytest.skip("no control group can be written here")
    daemons.start("limits", STUBBORN, marker)
    daemons.wait_until_up()
    daemons.end(signal.SIGKILL)
    until(lambda: not alive(marker), GONE_SECONDS)
    left = list(Path(layout.memory).glob(f"vsm-mcp.{daemons.pid}.*"))
    assert left
    cgroup.sweep(layout)
    assert not any(path.exists() for path in left)
