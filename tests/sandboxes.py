"""What the tests of the sandbox share: what this machine gives, found once, and daemons that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import HOME, Command, Completed, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Isolation, Tier

PYTHON = f"{sys.base_prefix}/bin/python3"
SYSTEM_PYTHON = "/usr/bin/python3"
"""The one that a server of root's may run in the reduced tier, too."""

ENV = {"PATH": "/usr/bin:/bin", "HOME": HOME}
PLAIN = Confinement(read_only=(sys.base_prefix,))

PRELUDE = """
import ctypes, errno, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def attempt(call, *args):
    try:
        value = call(*args)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        return type(error).__name__
    return "ok"
def libcall(name, *args):
    ctypes.set_errno(0)
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), "refused")
def syscall(number, *args):
    libcall("syscall", number, *args)
def read(path):
    with open(path, "rb") as file:
        file.read(1)
def write(path, text="x", mode="a"):
    with open(path, mode) as file:
        file.write(text)
found = {}
"""
"""What a program that tries things begins with; it puts the answers into ``found``, which :func:`inside` returns."""

_FOUND: dict[tuple[tuple[str, Any], ...], Isolation] = {}


async def isolation(**given: Any) -> Isolation:
    """Return what :func:`probe` finds, tried once for all tests."""
    key = tuple(sorted(given.items()))
    if key not in _FOUND:
        _FOUND[key] = await probe(**given)
    return _FOUND[key]


async def whole(**given: Any) -> Isolation:
    """Return the isolation with namespaces; skip where there is none."""
    found = await isolation(**given)
    if not found.tier.reaches(Tier.FULL_SOFT):
        pytest.skip(f"no whole sandbox here: {'; '.join(found.reasons)}")
    return found


async def reduced(**given: Any) -> Isolation:
    """Return the isolation without; skip where there is none."""
    found = await isolation(bwrap="/nowhere/bwrap", **given)
    if found.tier is not Tier.REDUCED:
        pytest.skip(f"no reduced tier here: {found.reasons}")
    return found


async def none() -> Isolation:
    """Return the isolation of a machine that gives none."""
    return await isolation(bwrap="/nowhere/bwrap", landlock=0)


async def run(sandbox: Sandbox, python: str, code: str, confinement: Confinement, **given: Any) -> Completed:
    """Run some Python to its end."""
    command = Command(argv=(python, "-I", "-S", "-c", code), env={**ENV, **given.pop("env", {})}, **given)
    return await sandbox.run(command, confinement, name="tries", timeout=30)


async def inside(sandbox: Sandbox, python: str, code: str, confinement: Confinement, **given: Any) -> dict[str, Any]:
    """Run what tries things; return what it found."""
    done = await run(sandbox, python, f"{PRELUDE}{code}\nprint(json.dumps(found))\n", confinement, **given)
    assert done.ok, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def close(child: Child) -> None:
    """Close our ends of a child's pipes."""
    for descriptor in (child.stdin_fd, child.stdout_fd, child.stderr_fd):
        os.close(descriptor)


def next_line(descriptor: int) -> bytes:
    """Return the next line that a child says."""
    os.set_blocking(descriptor, True)
    text = b""
    while not text.endswith(b"\n"):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        text += chunk
    return text


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


_MOTHER = """
import asyncio, json, os, sys
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tool import run_tool

MODES = {
    "limits": {}, "soft": {"soft": True}, "bare": {"bwrap": "/nowhere", "landlock": 0},
    "reduced": {"bwrap": "/nowhere"}, "reduced, soft": {"bwrap": "/nowhere", "soft": True},
}

async def serve(isolation, python, reads, code, marker, servers, tool):
    async with Sandbox(isolation) as sandbox:
        print("ready", os.getpid(), flush=True)
        command = Command(argv=(python, "-I", "-S", "-c", code, marker), env={"HOME": "/home/mcp"})
        confinement = Confinement(read_only=tuple(reads))
        children = [
            await sandbox.spawn(command, confinement, name=f"server {n}", unsandboxed=True) for n in range(servers)
        ]
        working = asyncio.Event().wait()
        if tool:
            working = run_tool([python, "-I", "-S", "-c", tool, marker], env={}, cwd="/", timeout=600)
        work = asyncio.ensure_future(working)
        for child in children:
            os.set_blocking(child.stdout_fd, True)
            os.read(child.stdout_fd, 2)
        await asyncio.sleep(0)
        print("up", flush=True)
        await work

found = {}
for line in sys.stdin:
    mode, *given = json.loads(line)
    if mode not in found:
        found[mode] = asyncio.run(probe(**MODES[mode]))
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            asyncio.run(serve(found[mode], *given))
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    print("over", flush=True)
"""


class Daemons:
    """Starts daemons, one after another: each is a fork of one process that has imported and probed all there is."""

    def __init__(self) -> None:
        self.pid = 0
        self._running = False
        self._mother = subprocess.Popen(
            [sys.executable, "-c", _MOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._running:
            self.end(signal.SIGKILL)
        with self._mother:
            assert self._mother.stdin is not None
            self._mother.stdin.close()

    def start(self, mode: str, code: str, marker: str, *, servers: int = 1, tool: str = "") -> None:
        """Start a daemon that starts servers; return when it is about to."""
        python, reads = (SYSTEM_PYTHON, []) if mode.startswith("reduced") else (PYTHON, [sys.base_prefix])
        assert self._mother.stdin is not None
        self._mother.stdin.write(json.dumps([mode, python, reads, code, marker, servers, tool]) + "\n")
        self._mother.stdin.flush()
        word, pid = self._said().split()
        assert word == "ready"
        self.pid, self._running = int(pid), True

    def wait_until_up(self) -> None:
        """Wait until its servers have said a word."""
        assert self._said() == "up\n"

    def end(self, number: signal.Signals) -> None:
        """Send it a signal, and wait until it is over."""
        os.kill(self.pid, number)
        while self._said() != "over\n":
            pass
        self._running = False

    def _said(self) -> str:
        assert self._mother.stdout is not None
        text = self._mother.stdout.readline()
        assert text, "the mother of daemons is gone"
        return text
