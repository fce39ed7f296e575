"""Connecting to a host: over IPv4 or IPv6, with or without TLS, within ten seconds."""

from __future__ import annotations

import asyncio
import errno
import os
import socket as sockets
import ssl
from collections.abc import Callable
from typing import Final, TypeVar

from vsm_mcp.errors import TransportError
from vsm_mcp.wire import tls
from vsm_mcp.wire.address import Address
from vsm_mcp.wire.transport import MakeSocket

_CONNECT_SECONDS: Final = 10.0
_FIRST_ADDRESS_SECONDS: Final = 3.0
_PROBES: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""A connection that is silent for hours is legitimate; that its other end is gone shows within two minutes."""

P = TypeVar("P", bound=asyncio.Protocol)


async def dial(
    address: Address,
    make: Callable[[], P],
    context: ssl.SSLContext | None = None,
    sockets: MakeSocket | None = None,
) -> P:
    """Connect to the first address of a host that answers and return the protocol that ``make`` made for it.

    ``context`` says whom to trust over TLS (default: whom the machine trusts); ``sockets`` makes the socket, where not
    any one leads there. A proxy, once there is one, belongs here. Raises :class:`TransportError`, which names scheme,
    host and port alone.
    """
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            trusting = (context or await tls.context()) if address.secure else None
            if sockets is not None:
                return await _over(await sockets(), address, make, trusting)
            return await _connected(address, make, trusting)
    except (OSError, ValueError) as error:  # TimeoutError and the failures of TLS and of names are OSErrors
        raise unreachable(address.origin, error) from error


def unreachable(place: str, error: BaseException) -> TransportError:
    """Return what an error of the operating system or of TLS means, without anything that was sent."""
    return TransportError(f"{place} cannot be reached: {_reason(error)}", "is it running there, and the address right?")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return f"it does not answer within {_CONNECT_SECONDS:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or type(error).__name__


async def _connected(address: Address, make: Callable[[], P], context: ssl.SSLContext | None) -> P:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=sockets.SOCK_STREAM)
    for place in found[:-1]:
        try:
            async with asyncio.timeout(_FIRST_ADDRESS_SECONDS):
                return await _connected_to(place[4][0], address, make, context)
        except ssl.SSLError:
            raise
        except OSError:
            continue  # the next address may answer
    return await _connected_to(found[-1][4][0], address, make, context)


async def _connected_to(host: str | int, address: Address, make: Callable[[], P], context: ssl.SSLContext | None) -> P:
    name = address.host if context is not None else None
    transport, protocol = await asyncio.get_running_loop().create_connection(
        make, str(host), address.port, ssl=context, server_hostname=name
    )
    return _kept_alive(transport, protocol)


async def _over(socket: sockets.socket, address: Address, make: Callable[[], P], context: ssl.SSLContext | None) -> P:
    """Connect a socket that was made for this, to an address that nobody need look up."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(socket, (address.host, address.port))
        name = address.host if context is not None else None
        transport, protocol = await loop.create_connection(make, sock=socket, ssl=context, server_hostname=name)
    except BaseException:
        socket.close()
        raise
    return _kept_alive(transport, protocol)


def _kept_alive(transport: asyncio.Transport, protocol: P) -> P:
    if transport.is_closing():
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    wire = transport.get_extra_info("socket")
    wire.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
    for option, value in _PROBES:
        if hasattr(sockets, option):  # else it is not Linux, and its own habits must do
            wire.setsockopt(sockets.IPPROTO_TCP, getattr(sockets, option), value)
    return protocol
