"""The daemon: the gateway's endpoint and the control socket, until somebody asks it to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from vsm_mcp import config as configuration
from vsm_mcp.app import descriptors, memory
from vsm_mcp.app.access import authentication, warn_in_clear
from vsm_mcp.app.application import App
from vsm_mcp.app.log import log_events
from vsm_mcp.app.sockets import CONTROL, lines, listening
from vsm_mcp.errors import VsmError
from vsm_mcp.gateway.access import Access
from vsm_mcp.gateway.http import Endpoint
from vsm_mcp.gateway.server import Front
from vsm_mcp.gateway.server import serve as serve_http
from vsm_mcp.gateway.stdio import serve_stdio
from vsm_mcp.gateway.view import View
from vsm_mcp.runtime import bulk
from vsm_mcp.web.control import ControlApi


async def serve(
    config: configuration.Config,
    *,
    stdio: bool,
    profile: str = "",
    ready: Callable[[str], None] = lambda _address: None,
) -> None:
    """Serve a home until SIGTERM or SIGINT (or, over stdio, until the client has gone).

    Over stdio the client sees ``profile`` (``""``: everything). ``ready`` is called with the address once the endpoint
    accepts connections. Raises :class:`HomeBusy` when another process serves this home, :class:`UnknownProfile`, and
    :class:`ConfigError` when others could reach the endpoint and nobody would be asked for a key.
    """
    async with App.open(config, for_operation="serve", actor="cli") as app:
        view = app.view(profile)
        app.bus.subscribe(log_events(config))
        app.serving = True
        app.gateway.seal_with(app.store.secrets.own_key())
        asks = None if stdio else authentication(config, app.keys.ring, app.bus.emit)
        memory.settle()
        descriptors.allow_many()
        stop = _stop_asked()
        async with _local(app):
            app.tasks.create_task(_start_all(app))
            if stdio:
                await _until(stop, serve_stdio(app.gateway, 0, 1, view))
                return
            at = (config.gateway.host, config.gateway.port)
            async with serve_http(app.gateway, *at, authentication=asks, emit=app.bus.emit) as address:
                app.address = address.url
                warn_in_clear(config, address.url, app.bus.emit)
                ready(address.url)
                await stop.wait()


async def _start_all(app: App) -> None:
    """Start in the background what no call shall wait for: lists come from memory, calls wait for their server only."""

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


@contextlib.asynccontextmanager
async def _local(app: App) -> AsyncIterator[None]:
    """Answer on the home's own sockets: the control API, and MCP for clients that speak stdio through us."""
    home = app.config.home
    with contextlib.ExitStack() as sockets:
        control = sockets.enter_context(listening(home, CONTROL))
        listeners = {name: sockets.enter_context(listening(home, lines(name))) for name in app.gateway.views}
        front = Front(Endpoint(app.gateway, Access(), beside=ControlApi(app.operate)))
        await front.open(control)
        accepting = {asyncio.ensure_future(_accept(app, app.view(name), each)) for name, each in listeners.items()}
        try:
            yield
        finally:
            for task in accepting:
                task.cancel()
            await asyncio.wait(accepting)
            await front.close()


async def _accept(app: App, view: View, listener: socket.socket) -> None:
    """Serve every client of a line socket until cancelled; they see ``view``."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as clients:
        while True:
            client, _ = await loop.sock_accept(listener)
            reading = client.detach()
            clients.create_task(serve_stdio(app.gateway, reading, os.dup(reading), view))
