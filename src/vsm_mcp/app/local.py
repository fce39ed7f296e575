"""The home's own sockets: the control API, and MCP for clients that speak stdio through us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from types import TracebackType
from typing import Self

from vsm_mcp.app.application import App
from vsm_mcp.app.reloading import FILE
from vsm_mcp.app.sockets import CONTROL, lines, listening
from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.events import ConfigRejected
from vsm_mcp.gateway.access import Access
from vsm_mcp.gateway.http import Endpoint
from vsm_mcp.gateway.server import Front
from vsm_mcp.gateway.stdio import serve_stdio
from vsm_mcp.gateway.view import View
from vsm_mcp.web.control import ControlApi


class Local:
    """Listens on them for as long as the context lasts; profiles come and go with the settings."""

    def __init__(self, app: App) -> None:
        self._app = app
        beside = ControlApi(app.operate, app.in_service.telemetry.pages(always=True))
        self._front = Front(Endpoint(app.gateway, Access(), beside=beside))
        self._sockets = contextlib.ExitStack()
        self._lines: dict[str, tuple[View, contextlib.ExitStack, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        home = self._app.config.home
        try:
            control = self._sockets.enter_context(listening(home, CONTROL))
            self._listen(self._app.config)
            await self._front.open(control)
        except BaseException:
            await self._close()
            raise
        self._app.followers.append(self._follow)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._app.followers.remove(self._follow)
        await self._close()

    async def _close(self) -> None:
        for profile in tuple(self._lines):
            self._end(profile)
        if self._ending:
            await asyncio.wait(self._ending)
        await self._front.close()
        self._sockets.close()

    def _follow(self, config: Config) -> None:
        """Listen as new settings want it; where that cannot be done, a profile is served over HTTP alone."""
        try:
            self._listen(config)
        except VsmError as error:
            self._app.bus.emit(ConfigRejected(file=FILE, reason=error.message))

    def _listen(self, config: Config) -> None:
        """Listen for exactly the profiles that there are now; the clients of one that is gone are cut off."""
        views = self._app.gateway.views
        for profile, (view, _, _) in tuple(self._lines.items()):
            if views.get(profile) is not view:
                self._end(profile)
        for profile in views.keys() - self._lines.keys():
            socket_of = contextlib.ExitStack()
            listener = socket_of.enter_context(listening(config.home, lines(profile)))
            view = self._app.view(profile)
            accepting = asyncio.get_running_loop().create_task(self._accept(view, listener))
            self._lines[profile] = (view, socket_of, accepting)
        self._app.cleanup.listening = {CONTROL, *map(lines, self._lines)}

    def _end(self, profile: str) -> None:
        _, socket_of, accepting = self._lines.pop(profile)
        accepting.cancel()
        self._ending.add(accepting)
        accepting.add_done_callback(self._ending.discard)
        accepting.add_done_callback(lambda _task: socket_of.close())

    async def _accept(self, view: View, listener: socket.socket) -> None:
        """Serve every client of a line socket until cancelled; they see ``view``."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as clients:
            while True:
                client, _ = await loop.sock_accept(listener)
                reading = client.detach()
                clients.create_task(serve_stdio(self._app.gateway, reading, os.dup(reading), view))
