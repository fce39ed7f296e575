"""One connection that leads out of a sandbox: whom it may reach, dialling, and passing bytes both ways.

A refused connection is reset. What the program sends first is looked at before it is passed on, because a TLS client
names its server there; what the other side sends first is not held back, for in some protocols it begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from typing import Final

import msgspec

from vsm_mcp.model.contact import Contact
from vsm_mcp.sandbox.egress import hello
from vsm_mcp.sandbox.egress.addresses import forbidden
from vsm_mcp.sandbox.egress.contacts import Note
from vsm_mcp.sandbox.egress.pace import Meter
from vsm_mcp.sandbox.egress.resolve import Resolve
from vsm_mcp.sandbox.egress.rules import Address, AllowList, written

_RESOLVE_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_HELLO_SECONDS: Final = 10.0
_LINGER_SECONDS: Final = 300.0
_CHUNK: Final = 64 * 1024
_TRIES: Final = 3
NOT_LISTED: Final = "not allowed"
WRONG_PORT: Final = "this port is not allowed"
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 4))


class Refused(Exception):
    """A connection is not allowed: ``reason`` as a clause; ``grant`` is what would allow it."""

    def __init__(self, reason: str, grant: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.grant = grant


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where a program wants to go: a name that was looked up, or (``address``) an address that it knew."""

    host: str
    port: int
    address: Address | None = None

    def contact(self, *, allowed: bool, reason: str = "", grant: str = "") -> Contact:
        """Return what is noted of an attempt to reach it."""
        return Contact(host=self.host, port=self.port, allowed=allowed, reason=reason, grant=grant)


class Way(msgspec.Struct, frozen=True):
    """What decides on the way out: the rules, how names are resolved, and which addresses are this machine's."""

    allowed: AllowList
    resolve: Resolve
    own: Callable[[Address], bool]

    async def targets(self, to: Destination) -> list[Address]:
        """Return the addresses to try. Raises :class:`Refused`, or :class:`OSError` when a name leads nowhere."""
        if to.address is not None:
            if not self.allowed.address(to.address, to.port):
                raise Refused(NOT_LISTED, written(to.host, to.port))
            return [to.address, *_also(to.address)]
        if not self.allowed.name(to.host, to.port):
            raise Refused(WRONG_PORT, written(to.host, to.port))
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await self.resolve(to.host)
        if self.allowed.anywhere(to.host, to.port):
            return found
        refused = {address: self._refusal(address, to.port) for address in found}
        good = [address for address, why in refused.items() if not why]
        if found and not good:
            address, why = next(iter(refused.items()))
            raise Refused(f"it leads to {address}, {why}", written(str(address), to.port))
        return good

    def _refusal(self, address: Address, port: int) -> str:
        if self.allowed.address(address, port):
            return ""
        return forbidden(address) or ("an address of this machine" if self.own(address) else "")


async def relay(client: socket.socket, to: Destination, way: Way, meter: Meter, note: Note) -> None:
    """Pass a connection on, for as long as it lasts; close ``client`` in the end. Never raises but when cancelled."""
    server: socket.socket | None = None
    try:
        server = await _dial(await way.targets(to), to.port)
        note(to.contact(allowed=True))
        await _Passage(client, server, to, meter).last()
    except Refused as refused:
        note(to.contact(allowed=False, reason=refused.reason, grant=refused.grant))
        reset(client, server)
    except OSError as error:
        if server is None:
            note(to.contact(allowed=True, reason=f"could not be reached: {_said(error)}"))
        reset(client, server)
    finally:
        if server is not None:
            server.close()
        client.close()


def _also(address: Address) -> list[Address]:
    """Return this machine's other loopback address: few programs care which of the two they name."""
    here: tuple[Address, Address] = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
    return [other for other in here if other != address] if address in here else []


async def _dial(addresses: list[Address], port: int) -> socket.socket:
    failure = OSError(0, "it has no address")
    for address in addresses[:_TRIES]:
        server = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            server.setblocking(False)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                server.setsockopt(socket.IPPROTO_TCP, option, value)
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(server, (str(address), port))
        except BaseException as error:
            server.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return server
    raise failure


class _Passage:
    """Both ways of one connection."""

    def __init__(self, client: socket.socket, server: socket.socket, to: Destination, meter: Meter) -> None:
        self._meter = meter
        self._client = client
        self._server = server
        self._to = to
        self._loop = asyncio.get_running_loop()
        self._moved = self._loop.time()

    async def last(self) -> None:
        """Pass bytes on until both sides have said that they are done, or one of them is gone.

        One that is gone looks like one that is done: it ends when the other has had nothing to say for five minutes.
        """
        ways = [asyncio.ensure_future(self._outwards()), asyncio.ensure_future(self._pour(self._server, self._client))]
        try:
            done, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            while left:
                for way in done:
                    way.result()
                done, left = await asyncio.wait(left, timeout=_LINGER_SECONDS)
                if not done and self._loop.time() - self._moved >= _LINGER_SECONDS:
                    raise TimeoutError
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    async def _outwards(self) -> None:
        if self._to.address is None:
            await self._loop.sock_sendall(self._server, await _first_bytes(self._client, self._to))
        await self._pour(self._client, self._server)

    async def _pour(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass on what comes, no faster than it is taken, and then that nothing more comes."""
        while data := await self._loop.sock_recv(source, _CHUNK):
            await self._loop.sock_sendall(sink, data)
            self._moved = self._loop.time()
            await self._meter.passed(len(data))
        sink.shutdown(socket.SHUT_WR)


async def _first_bytes(client: socket.socket, to: Destination) -> bytes:
    """Return what the program sends first, once it is known not to ask for another server."""
    loop = asyncio.get_running_loop()
    held = await loop.sock_recv(client, _CHUNK)
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            while (said := hello.read(held)).kind is hello.Kind.MORE and held:
                more = await loop.sock_recv(client, _CHUNK)
                if not more:
                    return held
                held += more
    except TimeoutError:
        raise Refused("the hello of TLS does not end") from None
    if said.kind is hello.Kind.BROKEN:
        raise Refused(said.kind.value)
    if said.name not in ("", to.host):
        raise Refused(f"by TLS it asks for {said.name}", written(said.name, to.port))
    return held


def reset(*sockets: socket.socket | None) -> None:
    """Have the other sides see a reset when the sockets are closed, not an end."""
    for each in sockets:
        if each is not None:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _said(error: OSError) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return os.strerror(error.errno) if error.errno else str(error.strerror or error)
