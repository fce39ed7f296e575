"""The endpoint on a socket: listening, accepting, and letting requests in flight end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.events import Emit, GatewayListening, ignore
from vsm_mcp.gateway.access import Access
from vsm_mcp.gateway.asgi import App
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.entrance import PATH
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.http import Endpoint
from vsm_mcp.gateway.http11 import Connection
from vsm_mcp.gateway.opened import Open, Timing
from vsm_mcp.model.loopback import on_loopback

_BACKLOG: Final = 2048
_LAST_SECONDS: Final = 2.0
ASK_WHO: Final = (
    'vsm-mcp key create NAME makes a key, then start again; or name who issues tokens ([auth] mode = "oauth", issuer, '
    "public_url); or listen on 127.0.0.1"
)
"""What to do before listening where other machines can reach it."""


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
    gateway: Gateway,
    host: str = "",
    port: int | None = None,
    *,
    beside: App | None = None,
    authentication: Authentication | None = None,
    emit: Emit = ignore,
) -> AsyncIterator[Address]:
    """Serve ``gateway`` over HTTP for as long as the context lasts; gives the bound address.

    ``host`` and ``port`` default to the settings'; port 0 takes any free one. ``beside`` is an ASGI application for
    every path but ``/mcp``. On leaving, requests in flight get ``Limits.grace_seconds`` to end; nothing is left. With
    an ``authentication`` every host name is served unless ``allowed_hosts`` names some.

    Raises :class:`ConfigError` when the address is in use or cannot be listened on, and for an address that others
    can reach without an ``authentication``.
    """
    settings = gateway.settings
    host = host or settings.host
    if not on_loopback(host) and authentication is None:
        raise ConfigError(f"{host} can be reached from other machines, so the gateway has to ask who calls", ASK_WHO)
    listening = _bind(host, settings.port if port is None else port)
    bound = listening.getsockname()
    any_host = authentication is not None and not settings.allowed_hosts
    access = Access((*settings.allowed_hosts, bound[0]), settings.allowed_origins, any_host=any_host)
    endpoint = Endpoint(gateway, access, beside, authentication)
    address = Address(bound[0], bound[1])
    if authentication is not None:
        authentication.listening(address.url)
    front = Front(endpoint, gateway.limits.grace_seconds)
    await front.open(listening)
    emit(GatewayListening(address=address.url))
    try:
        yield address
    finally:
        gateway.close()
        await front.close()


class Front:
    """A listening socket (TCP or unix), its connections and the tasks of their requests.

    ``grace`` is how many seconds requests in flight get at the end, before their clients are taken for gone; ``timing``
    is how long clients may take.
    """

    def __init__(self, app: App, grace: float = 3.0, timing: Timing | None = None) -> None:
        self._app = app
        self._grace = grace
        self._open = Open(timing)
        self._server: asyncio.Server | None = None

    async def open(self, listening: socket.socket) -> None:
        """Accept connections on a bound socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listening, backlog=_BACKLOG)

    def _connection(self) -> asyncio.Protocol:
        return Connection(self._app, self._open)

    async def close(self) -> None:
        """Accept no more, let requests in flight end, then cut what is left."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._open.connections):
            connection.shut()
        if not await self._open.ended(self._grace):
            # To a request that is still being answered this is a client that has gone: it gives its call up.
            for connection in tuple(self._open.connections):
                connection.abort()
            await self._open.ended(_LAST_SECONDS)
        late = set(self._open.tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for connection in tuple(self._open.connections):
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()


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
