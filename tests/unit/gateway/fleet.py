"""Real servers behind a real gateway, without supervisor and sandbox: for tests of the gateway alone.

Also a program: ``python fleet.py [--port N] SERVERS`` serves over HTTP (printing its address) or else over stdio.
``SERVERS`` is JSON: name → options of ``vsm_mcp.testing.faulty``, or name → URL of an HTTP server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any, Self

import msgspec

from vsm_mcp import config
from vsm_mcp.errors import ServerDown
from vsm_mcp.gateway.gateway import Gateway, Limits
from vsm_mcp.gateway.server import serve
from vsm_mcp.gateway.stdio import serve_stdio
from vsm_mcp.testing import faulty
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.stdio import StdioTransport

Servers = dict[str, list[str] | str]


class Fleet:
    """Starts servers, and starts one that has died again when it is asked for. ``started`` counts the starts."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.connections: dict[str, Connection] = {}
        self.started: dict[str, int] = {}
        self.starting: dict[str, asyncio.Lock] = {}
        self.gateway: Gateway | None = None
        self.down: dict[str, str] = {}
        self.watched: dict[str, set[str]] = {}
        self.asking: list[str] = []
        self.told: dict[str, str] = {}  # whose process a server's is, where a test says so

    def ready(self, server: str, session: str = "") -> Connection | None:
        found = None if server in self.down else self.connections.get(server)
        return None if found is None or found.closed.done() else found

    async def connection(self, server: str, timeout: float, session: str = "") -> Connection:
        if server in self.down:
            raise ServerDown(f"{server} is not running: {self.down[server]}")
        async with self.starting.setdefault(server, asyncio.Lock()):  # whoever comes meanwhile gets the same one
            return self.ready(server) or await self._start(server, timeout)

    def stateful(self, server: str) -> bool:
        return False

    def end_session(self, session: str) -> None:
        """Sessions share everything here."""

    def tell(self, session: str, method: str) -> None:
        """Sessions share everything here."""

    def observe_stateful(self, server: str) -> None:
        """Sessions share everything here."""

    def watch(self, name: str, uri: str) -> None:
        self.watched.setdefault(name, set()).add(uri)
        if name in self.connections:
            self.connections[name].watch(uri)

    def unwatch(self, name: str, uri: str) -> None:
        self.watched.get(name, set()).discard(uri)
        if name in self.connections:
            self.connections[name].unwatch(uri)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(connection.close() for connection in self.connections.values()))
        for process in self.processes.values():
            process.kill()
            process.wait()

    async def gather(
        self, settings: config.Gateway | None = None, limits: Limits | None = None, **more: Any
    ) -> Gateway:
        """Start everything and return a gateway in front of it."""
        self.gateway = Gateway(self, settings, limits, **more)
        offers = {}
        for server in self.servers:
            if server not in self.down:
                connection = await self.connection(server, 20)
                offers[server] = await connection.offer(20)
        self.gateway.set_offers(offers)
        return self.gateway

    async def _start(self, server: str, seconds: float) -> Connection:
        given = self.servers[server]
        transport = HttpTransport(given, headers={}) if isinstance(given, str) else self._spawn(server, given)
        connection = await connect(transport, timeout=min(seconds, 20))
        self.connections[server] = connection
        self.started[server] = self.started.get(server, 0) + 1
        connection.on_change = lambda _kind: self._refresh(server, connection)
        connection.on_news(
            lambda uri: self._updated(server, uri),
            lambda: self.asking.append(server),
            lambda method, params: self._said(server, method, params),
        )
        for uri in self.watched.get(server, set()):
            connection.watch(uri)
        return connection

    def _spawn(self, server: str, options: list[str]) -> StdioTransport:
        old = self.processes.get(server)
        if old is not None:
            old.kill()
            old.wait()
        ours, theirs_in = os.pipe(), os.pipe()
        argv = options[1:] if options[:1] == ["--"] else [sys.executable, faulty.__file__, *options]
        self.processes[server] = subprocess.Popen(
            argv, stdin=theirs_in[0], stdout=ours[1], stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.close(theirs_in[0])
        os.close(ours[1])
        return StdioTransport(ours[0], theirs_in[1], max_line=64 << 20)

    def _updated(self, server: str, uri: str) -> None:
        if self.gateway is not None:
            self.gateway.updated(server, uri)

    def _said(self, server: str, method: str, params: msgspec.Raw) -> None:
        if self.gateway is not None:
            self.gateway.announcements.said(server, self.told.get(server, ""), method, params)

    def _refresh(self, server: str, connection: Connection) -> None:
        async def fetch() -> None:
            offer = await connection.offer(20)
            if self.gateway is not None:
                self.gateway.set_offer(server, offer)

        self._task = asyncio.get_running_loop().create_task(fetch())


async def main() -> None:
    """Serve until stdin ends (stdio) or until killed (HTTP)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=None)
    parser.add_argument("servers")
    chosen = parser.parse_args()
    async with Fleet(msgspec.json.decode(chosen.servers, type=Servers)) as fleet:
        if chosen.port is None:
            await serve_stdio(await fleet.gather(), os.dup(0), os.dup(1))
            return
        async with serve(await fleet.gather(), "127.0.0.1", chosen.port) as address:
            sys.stdout.write(json.dumps({"url": address.url, "at": time.time()}) + "\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
