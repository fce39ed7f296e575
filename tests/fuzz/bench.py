"""A gateway to try things on: one loop for all examples, two fronts (with the short way and without), raw sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple, Self, TypeVar

import uvloop
from tests.unit.gateway.fleet import Fleet, Servers

from vsm_mcp import config
from vsm_mcp.gateway.access import Access
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.gateway import Gateway, Limits
from vsm_mcp.gateway.http import Endpoint
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.server import Front
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant

EXAMPLES: Final = int(os.environ.get("VSM_MCP_FUZZ_EXAMPLES", "0"))
"""How many examples each test tries; 0: as many as are good for every day (``make fuzz`` asks for more)."""

SECONDS: Final = 10.0
"""Whatever takes longer hangs."""

KEPT_SECONDS: Final = 5.0
"""How long a connection may have rested: the front closes one by itself later, as any front does (`Timing.idle`)."""

T = TypeVar("T")


class Reply(NamedTuple):
    """An HTTP answer; a body in chunks is put together."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Return the value of a header, or nothing."""
        return dict(self.headers).get(name, b"")


class Bench:
    """Use it with ``with``. ``troubles`` are the errors that our own code did not expect."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._log = _Collector(self.troubles)

    def __enter__(self) -> Self:
        self._runner.get_loop().set_exception_handler(lambda _loop, context: self.troubles.append(repr(context)))
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end, and not for ever. Between two runs what is logged is other tests' business."""
        logger = logging.getLogger("vsm_mcp")
        logger.addHandler(self._log)
        try:
            result = self._runner.run(_bounded(work))
        finally:
            logger.removeHandler(self._log)
        troubles = tuple(self.troubles)
        self.troubles.clear()
        assert not troubles, troubles
        return result


class Fronts:
    """A gateway with real servers behind it, served over HTTP four times.

    ``clients`` use the fronts that ask nobody, ``locked`` those that want a key (``field``): of either, the first has
    the short way and the second has not.
    """

    def __init__(self, gateway: Gateway, fleet: Fleet) -> None:
        self.gateway = gateway
        self.fleet = fleet
        text = mint(bytes(ENTROPY))
        grant = Grant(deny_tools=("*__add",), max_body_bytes=20_000, concurrency=4)
        self.keys = Keyring([Key(id=id_of(text), name="one", digest=digest_of(text), grant=grant)])
        self.field = f"Authorization: Bearer {text}\r\n".encode()
        self.clients: list[Client] = []
        self.locked: list[Client] = []
        self._endpoints: list[Endpoint] = []

    async def open(self, stack: AsyncExitStack) -> None:
        """Listen."""
        for quick in (True, False):
            self.clients.append(await self._front(stack, Endpoint(self.gateway, Access()), quick=quick))
            locked = Endpoint(self.gateway, Access(), authentication=Authentication(self.keys))
            self.locked.append(await self._front(stack, locked, quick=quick))

    async def _front(self, stack: AsyncExitStack, endpoint: Endpoint, *, quick: bool) -> Client:
        if not quick:
            endpoint.quick = None  # type: ignore[assignment]
        front, listening = Front(endpoint, 0.2), socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        await front.open(listening)
        stack.push_async_callback(front.close)
        self._endpoints.append(endpoint)
        return Client(listening.getsockname()[1])

    def held(self) -> int:
        """Return how much of the requests is still held: bodies and requests that are open, calls in flight."""
        bodies = [endpoint._bodies for endpoint in self._endpoints]
        calls = sum(connection.in_flight for connection in self.fleet.connections.values())
        visits = sum(len(each.requests) + len(each.streams) for each in self.gateway.visitors._visitors.values())
        return sum(each._open + each._held for each in bodies) + len(self.gateway.flights) + calls + visits


async def fronts(stack: AsyncExitStack, servers: Servers, **more: Any) -> Fronts:
    """Start servers and a gateway in front of them."""
    fleet = await stack.enter_async_context(Fleet(servers))
    settings = config.Gateway(call_timeout_seconds=3, max_sessions=100)
    found = Fronts(await fleet.gather(settings, Limits(keep_alive_seconds=30), **more), fleet)
    for connection in fleet.connections.values():
        connection.on_change = lambda _kind: None  # what a parrot says of its lists is not worth asking for
    await found.open(stack)
    return found


class Client:
    """Sends requests over one connection, and over a new one when the other side closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._used = 0.0

    async def ask(self, head: bytes, body: bytes, *, endless: bool = False, cuts: tuple[int, ...] = ()) -> Reply:
        """Send one request, cut into pieces at ``cuts``; return its answer."""
        if time.monotonic() - self._used > KEPT_SECONDS:
            await self.close()
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 26)
        try:
            reply = await self._answered(head + body, endless=endless, cuts=cuts)
        except BaseException:
            await self.close()
            raise
        self._used = time.monotonic()
        if endless or reply.header(b"connection") == b"close":
            await self.close()
        return reply

    async def _answered(self, whole: bytes, *, endless: bool, cuts: tuple[int, ...]) -> Reply:
        assert self._reader is not None and self._writer is not None
        for begin, end in zip((0, *cuts), (*cuts, len(whole)), strict=True):
            self._writer.write(whole[begin:end])
            if cuts:
                await self._writer.drain()
                await asyncio.sleep(0)
        return await _reply(self._reader, endless=endless)

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None


async def _reply(reader: asyncio.StreamReader, *, endless: bool) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    pairs = [line.partition(b": ") for line in lines]
    headers = tuple((name.lower(), value) for name, _, value in pairs)
    reply = Reply(int(first.split(b" ")[1]), headers, b"")
    if reply.header(b"transfer-encoding") != b"chunked":
        return reply._replace(body=await reader.readexactly(int(reply.header(b"content-length") or 0)))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
        if endless:
            break
    else:
        await reader.readexactly(2)
    return reply._replace(body=b"".join(parts))


async def _bounded(work: Awaitable[T]) -> T:
    async with asyncio.timeout(SECONDS):
        return await work


class _Collector(logging.Handler):
    def __init__(self, troubles: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._troubles = troubles

    def emit(self, record: logging.LogRecord) -> None:
        self._troubles.append(self.format(record))
