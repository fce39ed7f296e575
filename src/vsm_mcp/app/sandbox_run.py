"""Any program in the very sandbox that a server would get: to see what a permission profile does, and to test it."""

from __future__ import annotations

import asyncio
import shlex
import signal
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from vsm_mcp.autopilot.grants import check_project
from vsm_mcp.config import Config
from vsm_mcp.install.command import entry_of, found_program
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime.permissions import profile_of
from vsm_mcp.runtime.sandbox_plan import plan_of_server
from vsm_mcp.runtime.spec import spec_of
from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import Exit
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.streams import Streams
from vsm_mcp.vetting.watch import Watch

_NAME: Final = "sandbox-run"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS_SECONDS: Final = 1.0


async def show(config: Config, given: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Return the plan of a program (none: of the settings alone), without running it."""
    server = _server(config, msgspec.convert(given, Settings), words)
    plan = plan_of_server(server, (), config, await probe())
    return {"program": list(server.installation.entry.argv), "plan": msgspec.to_builtins(plan)}


async def run(config: Config, given: dict[str, Any], words: Sequence[str], *, watch: bool = False) -> dict[str, Any]:
    """Run a program to its end on our own standard streams; return how it ended, and in what.

    ``status`` is the exit code that stands for all of it: the program's own, 128 and the signal that ended it, or 128
    and the signal that we were sent: then all of it is ended. A second signal does not wait for it. With ``watch`` it
    is watched as in a trial, decoys included. Raises :class:`SandboxUnavailable`, and what :func:`spec_of` raises.
    """
    server = _server(config, msgspec.convert(given, Settings), words)
    spec = spec_of(server, {}, config)
    assert spec.command is not None  # noqa: S101 - it is no remote one
    assert spec.confinement is not None  # noqa: S101 - as above
    async with Sandbox(await probe(), least=config.sandbox.least_tier) as sandbox:
        plan = plan_of_server(server, (), config, sandbox.isolation)
        began = time.monotonic()
        seen = Watch(sandbox, spec.secrets) if watch else None
        spawn = seen.spawn if seen else sandbox.spawn
        child = await spawn(spec.command, spec.confinement, name=_NAME, unsandboxed=spec.unsandboxed)
        await child.throttle()
        told, ended = await _passed_on(child, config.runtime.stop_grace_seconds)
        watched = await _watched(seen) if seen else {}
        return {
            "program": list(spec.command.argv),
            "status": 128 + told if told else _status(ended),
            "exit": msgspec.to_builtins(ended),
            "described": ended.describe(),
            "seconds": round(time.monotonic() - began, 3),
            "peak_memory": child.peak_memory(),
            "plan": msgspec.to_builtins(plan),
            **watched,
        }


async def _watched(watch: Watch) -> dict[str, Any]:
    await watch.finish()
    return {"behaviour": msgspec.to_builtins(watch.behaviour()), "watch": msgspec.to_builtins(watch.result())}


def _server(config: Config, settings: Settings, words: Sequence[str]) -> Server:
    """Return the server that ``cmd:WORDS`` would be."""
    if profile_of(settings, config).wants_project:
        check_project(settings, config.environ.get("HOME", ""), (str(config.home),))
    ref = Ref(RefKind.CMD, shlex.join(words))
    entry = Entry(argv=(), runtime="native")
    if words:
        entry = entry_of(found_program(words, config.environ), config.environ)
    installation = Installation(server=_NAME, ref=ref, version="", path="", entry=entry)
    return Server(name=_NAME, ref=ref, version="", installation=installation, settings=settings)


async def _passed_on(child: Child, grace: float) -> tuple[int, Exit]:
    """Pass on streams until the program is over; return the signal that we were sent (0: none) and its end."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int] = loop.create_future()
    killing: list[asyncio.Task[Exit]] = []

    def tell(number: int) -> None:
        if told.done():
            killing.append(loop.create_task(child.kill()))
        else:
            told.set_result(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, tell, number)
    try:
        streams = Streams((child.stdin_fd, child.stdout_fd, child.stderr_fd))
        over = loop.create_task(_over(child, streams))
        first: tuple[asyncio.Future[Any], ...] = (over, told)
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            ended = await child.stop(grace)
            await streams.written(_LAST_WORDS_SECONDS)
            over.cancel()
            return told.result(), ended
        return 0, over.result()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        await child.kill()
        if killing:
            await asyncio.wait(killing)


async def _over(child: Child, streams: Streams) -> Exit:
    ended = await child.wait()
    await streams.written()
    return ended


def _status(ended: Exit) -> int:
    return ended.code if ended.signal is None and ended.code is not None else 128 + (ended.signal or 0)
