"""The endpoint on a socket: uvicorn's httptools protocol, without uvicorn's server around it.

That server wakes up ten times a second and takes over the process's signals; here nothing happens between requests.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.events import Emit, GatewayListening, ignore
from vsm_mcp.gateway.access import Access, is_loopback
from vsm_mcp.gateway.asgi import App
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.http import PATH, Endpoint

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 120
_LAST_SECONDS: Final = 2.0


class Address(msgspec.Struct, frozen=True):
    """Where the endpoint listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the address of the MCP endpoint."""
        return f"{self.origin}{PATH}"

    @property
    def origin(self) -> str:
        """Return the address without a path."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@asynccontextmanager
async def serve(
    gateway: Gateway, host: str = "", port: int | None = None, *, beside: App | None = None, emit: Emit = ignore
) -> AsyncIterator[Address]:
    """Serve ``gateway`` over HTTP for as long as the context lasts; gives the bound address.

    ``host`` and ``port`` default to the settings'; port 0 takes any free one. ``beside`` is an ASGI application for
    every path but ``/mcp``. On leaving, requests in flight get ``Limits.grace_seconds`` to end; nothing is left.

    Raises :class:`ConfigError` when the address is in use or cannot be listened on, and for an address that others
    can reach while no host name is allowed explicitly.
    """
    settings = gateway.settings
    host = host or settings.host
    if not is_loopback(host) and not settings.allowed_hosts:
        raise ConfigError(
            f"{host} can be reached from other machines, and the gateway does not ask for keys yet",
            "listen on 127.0.0.1, or put a proxy that authenticates in front and name its host in allowed_hosts",
        )
    listening = _bind(host, settings.port if port is None else port)
    bound = listening.getsockname()
    endpoint = Endpoint(gateway, Access((*settings.allowed_hosts, bound[0]), settings.allowed_origins), beside)
    front = Front(endpoint, gateway.limits.grace_seconds)
    await front.open(listening)
    address = Address(bound[0], bound[1])
    emit(GatewayListening(address=address.url))
    try:
        yield address
    finally:
        gateway.close()
        await front.close()


class Front:
    """A listening socket (TCP or unix), its connections and the tasks of their requests.

    ``grace`` is how many seconds requests in flight get at the end, before their clients are taken for gone.
    """

    def __init__(self, app: App, grace: float = 3.0) -> None:
        self._grace = grace
        # Imported here: who only asks for a list of servers on the command line does not pay for it.
        from uvicorn import Config  # noqa: PLC0415
        from uvicorn.server import ServerState  # noqa: PLC0415

        self._config = Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        # A malformed request is the client's affair, not a warning of ours.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    async def open(self, listening: socket.socket) -> None:
        """Accept connections on a bound socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=listening, backlog=_BACKLOG)

    def _protocol(self) -> asyncio.Protocol:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415

        return HttpToolsProtocol(config=self._config, server_state=self._state, app_state={})

    async def close(self) -> None:
        """Accept no more, let requests in flight end, then cut what is left."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        if not await self._ended(self._grace):
            # To a request that is still being answered this is a client that has gone: it gives its call up.
            for connection in tuple(self._state.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            await self._ended(_LAST_SECONDS)
        late = set(self._state.tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _ended(self, seconds: float) -> bool:
        tasks = set(self._state.tasks)
        return not tasks or not (await asyncio.wait(tasks, timeout=seconds))[1]


def _bind(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}: {error}", "give another [gateway] host") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise _not_bound(host, port, error) from error
    return bound


def _not_bound(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} on {host} is in use", "another gateway may be running: `vsm-mcp status`; or give --port"
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"port {port} may not be listened on by this user", "give a --port above 1023")
    return ConfigError(f"cannot listen on {host} port {port}: {error.strerror}", "give another --host or --port")
