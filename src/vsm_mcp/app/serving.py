"""The daemon: the gateway's endpoint and the control socket, until somebody asks it to stop."""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import Callable
from typing import Any, Final

from vsm_mcp import config as configuration
from vsm_mcp.app import descriptors, memory
from vsm_mcp.app.access import authentication, warn_in_clear
from vsm_mcp.app.application import App
from vsm_mcp.app.local import Local
from vsm_mcp.app.log import EventLog
from vsm_mcp.app.lookout import keeping_fresh
from vsm_mcp.app.notify import Notifier
from vsm_mcp.app.watching import watching
from vsm_mcp.errors import VsmError
from vsm_mcp.gateway.server import serve as serve_http
from vsm_mcp.gateway.stdio import serve_stdio
from vsm_mcp.runtime import bulk

_LIST_FIRST_SECONDS: Final = 0.05


async def serve(
    config: configuration.Config,
    *,
    stdio: bool,
    profile: str = "",
    ready: Callable[[str], None] = lambda _address: None,
) -> None:
    """Serve a home until SIGTERM or SIGINT (or, over stdio, until the client has gone); read its settings on SIGHUP.

    Over stdio the client sees ``profile`` (``""``: everything). ``ready`` is called with the address once the endpoint
    accepts connections. Raises :class:`HomeBusy` when another process serves this home, :class:`UnknownProfile`, and
    :class:`ConfigError` when others could reach the endpoint and nobody would be asked for a key.
    """
    notifier = Notifier(config.environ)
    descriptors.allow_many()  # before the sandbox counts how many of them relays may have
    async with App.open(config, for_operation="serve", actor="cli") as app:
        view = app.view(profile)
        log = EventLog(config.log)
        app.bus.subscribe(log)
        app.followers.append(lambda new: log.configure(new.log))
        app.serving = app.cleanup.reaps = True
        app.gateway.seal_with(app.store.secrets.own_key())
        asks = None if stdio else authentication(config, app.keys.ring, app.bus.emit)
        memory.settle()
        sweeper = memory.Sweeper()
        app.bus.subscribe(sweeper)
        app.cleanup.also.append(sweeper.sweep)
        stop = _stop_asked()
        fresh = keeping_fresh(app.finder.lookout, app.tasks, app.bus.emit)
        running = app.in_service.running()
        async with Local(app), notifier.alive(), fresh, running, watching(app, notifier) as read_again:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, read_again)
            if stdio:
                app.tasks.create_task(_start_all(app))
                notifier.ready("serving one client")
                await _until(stop, serve_stdio(app.gateway, 0, 1, view))
                return
            at = (config.gateway.host, config.gateway.port)
            telemetry = app.in_service.telemetry
            beside = telemetry.pages()
            async with serve_http(app.gateway, *at, beside=beside, authentication=asks, emit=app.bus.emit) as address:
                app.address = address.url
                warn_in_clear(config, address.url, app.bus.emit)
                ready(address.url)
                notifier.ready(f"serving MCP at {address.url}")
                app.tasks.create_task(_start_all(app))
                await stop.wait()
                notifier.stopping()
                telemetry.stream.close()


async def _start_all(app: App) -> None:
    """Start in the background what no call shall wait for: lists come from memory, calls wait for their server only.

    Whoever waits for the list alone shall not wait for the processes of all servers to be made, nor the first call that
    fails for what explains it.
    """
    await asyncio.sleep(_LIST_FIRST_SECONDS)
    app.tasks.create_task(asyncio.to_thread(importlib.import_module, "vsm_mcp.runtime.cause"))

    async def start(name: str) -> str:
        await app.runtime.connection(name, app.config.runtime.start_timeout_seconds)
        return ""

    names = app.runtime.eager()
    try:
        before = app.runtime.before(names)
    except VsmError:  # they go round in a circle: each is as good as the next
        before = dict.fromkeys(names, frozenset())
    # What fails is published by the runtime, which tries again by its policy; how many start at a time, it knows.
    await bulk.each(before, start, at_once=max(len(names), 1))


def _stop_asked() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _until(stop: asyncio.Event, work: Any) -> None:
    """Run ``work`` until it ends or ``stop`` is set."""
    running, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (running, stopping):
            task.cancel()
        await asyncio.wait({running, stopping})
    if not running.cancelled():
        running.result()
