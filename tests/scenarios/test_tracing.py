"""A program under strace is as confined, as bounded and as mortal as without."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.sandboxes import whole
from tests.scenarios.homes import Home, processes_of

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import tracing
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import HOME, MEBIBYTE, Command, Completed, Confinement
from vsm_mcp.sandbox.running import collect

PLANTED = {f"{HOME}/.deep/er/file": b"planted\n", f"{HOME}/.deep/other": b"x"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    isolation = await whole()
    if not tracing.find():
        pytest.skip("strace is not installed")
    async with Sandbox(isolation) as running:
        yield running


async def run(sandbox: Sandbox, script: str, confinement: Confinement, *, traced: bool) -> tuple[Completed, bytes]:
    """Run a shell script with or without strace; return how it ended and what strace reported."""
    command = Command(
        argv=("/usr/bin/sh", "-c", script),
        env={"PATH": "/usr/bin", "SECRET": "hush"},
        tracer=tracing.find() if traced else "",
    )
    async with asyncio.timeout(30):
        child = await sandbox.spawn(command, confinement, name="traced")
        os.close(child.stdin_fd)
        reading = [collect(fd, 1_000_000) for fd in (child.stdout_fd, child.stderr_fd)]
        record = collect(child.trace_fd, 10_000_000) if traced else asyncio.sleep(0, (b"", False))
        (out, _), (err, _), (report, _) = await asyncio.gather(*reading, record)
        return Completed(exit=await child.wait(), stdout=out, stderr=err), report


SAME = """
ls /proc/self/fd; env | sort; pwd; id; cat .deep/er/file; echo more >> .deep/er/file; touch .deep/new; ls -A . .deep
grep -E '^(Cap|NoNewPrivs|Seccomp):' /proc/self/status; set -- /proc/[0-9]*; echo $#; touch /usr/x
kill -9 1; exit 5
"""


async def test_it_makes_no_difference_inside(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "granted"
    place.mkdir()
    for granted in ((), (str(place),)):
        confinement = Confinement(planted=PLANTED, granted_writable=granted)
        bare, _ = await run(sandbox, SAME, confinement, traced=False)
        traced, report = await run(sandbox, SAME, confinement, traced=True)
        assert traced == bare
        assert bare.exit.code == 5
        assert b"planted\n" in bare.stdout
        assert b"openat(" in report
        assert b"hush" not in report


@pytest.mark.parametrize("script", ["kill -TERM $$", "kill -9 $$", "exit 200"])
async def test_it_ends_as_without(sandbox: Sandbox, script: str) -> None:
    bare, _ = await run(sandbox, script, Confinement(), traced=False)
    traced, _ = await run(sandbox, script, Confinement(), traced=True)
    assert traced.exit == bare.exit


async def test_limits_hold(sandbox: Sandbox) -> None:
    hog = "exec /usr/bin/python3 -c 'b = bytearray(400 * 1024 * 1024)\nimport time; time.sleep(20)'"
    done, _ = await run(sandbox, hog, Confinement(memory_bytes=64 * MEBIBYTE), traced=True)
    assert (done.exit.signal, done.exit.oom) == (9, True)


@pytest.mark.parametrize("strace", ["/usr/bin/false", "/no/such/strace"])
async def test_a_tracer_that_fails_is_said_and_leaves_nothing(sandbox: Sandbox, strace: str) -> None:
    await run(sandbox, "true", Confinement(), traced=True)  # what is made once is made
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(SandboxUnavailable, match="could not be set up"):
        await sandbox.spawn(Command(argv=("/usr/bin/true",), tracer=strace), Confinement(), name="broken")
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


DAEMON = """
import asyncio, sys
from vsm_mcp.sandbox import tracing
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.running import collect

async def main():
    async with Sandbox(await probe()) as sandbox:
        stubborn = "trap '' TERM HUP; setsid sleep 4712.5 & setsid sleep 4712.5 & echo ready; wait"
        command = Command(argv=("/usr/bin/sh", "-c", stubborn), env={"PATH": "/usr/bin"}, tracer=tracing.find())
        child = await sandbox.spawn(command, Confinement(), name="stubborn")
        asyncio.ensure_future(collect(child.trace_fd, 0))
        while b"ready" not in await asyncio.to_thread(read, child.stdout_fd): pass
        print("ready", flush=True)
        await asyncio.sleep(60)

def read(fd):
    import os, select
    select.select([fd], [], [])
    return os.read(fd, 99)

asyncio.run(main())
"""


async def test_nothing_is_left_of_a_daemon_that_is_killed(sandbox: Sandbox, home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert await asyncio.to_thread(daemon.stdout.readline) == b"ready\n"
        assert processes_of("4712.5")
        daemon.kill()
        daemon.wait(10)
    home.until(lambda: not processes_of("4712.5"), 2)
    home.until(lambda: not processes_of("--seccomp-bpf"), 2)
