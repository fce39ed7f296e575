"""Our own tools (uv, npm, git): not confined, but bounded in time and output, and gone when we are."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.sandbox import guard, tree
from vsm_mcp.sandbox.confinement import MEBIBYTE, Completed, exit_of
from vsm_mcp.sandbox.running import Outputs, Running, popen

_LAST_WORDS_SECONDS: Final = 2.0


async def run_tool(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | os.PathLike[str],
    timeout: float,
    max_output: int = 16 * MEBIBYTE,
) -> Completed:
    """Run a tool to its end, without input; ``env`` is all it gets.

    It leads a process group of its own; after ``timeout`` seconds, or when the caller is cancelled, all of it is
    killed. All of it dies with us: the tool by ``setpriv --pdeathsig``, what it started by the guard, which finds it
    by a variable in its environment. Call it on the event loop's thread. Raises :class:`InstallFailed` when the program
    is not there.
    """
    try:
        program = _found(argv, env)
        token = guard.hold().token
    except OSError as error:
        raise _cannot(argv[0], error) from error
    try:
        running = popen([*death_signal(), *program], env={**env, guard.VARIABLE: token}, cwd=os.fspath(cwd))
        return await _finish(running, timeout, max_output)
    except OSError as error:
        raise _cannot(argv[0], error) from error
    finally:
        await guard.release()


def _cannot(program: str, error: OSError) -> InstallFailed:
    return InstallFailed(f"{program} cannot be run: {error.strerror or error}", f"install {program}")


async def _finish(running: Running, timeout: float, max_output: int) -> Completed:
    os.close(running.pipes.stdin)
    outputs = Outputs(running.pipes.stdout, running.pipes.stderr, max_output)
    try:
        await asyncio.wait([running.exited], timeout=timeout)
    finally:
        timed_out = not running.exited.done()
        code = await asyncio.shield(_end(running))
        stdout, stderr, truncated = await outputs.last(_LAST_WORDS_SECONDS)
    return Completed(exit=exit_of(code), stdout=stdout, stderr=stderr, timed_out=timed_out, truncated=truncated)


@cache
def death_signal() -> tuple[str, ...]:
    """Return what to put before a program so that the kernel kills it when this thread ends; nothing off Linux."""
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _found(argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Look the program up ourselves: ``setpriv`` would only say 127."""
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise FileNotFoundError(2, "no such program", argv[0])
    return [program, *argv[1:]]


async def _end(running: Running) -> int:
    """Kill what is left of the tool's group and below it; return its exit code."""
    if not running.exited.done():
        tree.send(tree.descendants(running.pid), signal.SIGKILL)
        running.send_group(signal.SIGKILL)
        running.send(signal.SIGKILL)
    else:
        running.send_group(signal.SIGKILL)
    return await running.exited
