"""Finds out which era a server speaks, and opens the conversation in it.

Specification 2026-07-28, "Versioning and Negotiation: Compatibility with older versions": ``server/discover`` is the
probe; anything that is no positive evidence of the modern era leads to ``initialize``.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import HttpRefused, ProtocolError, RequestTimeout, RpcError
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era
from vsm_mcp.wire.connection import CLIENT_INFO, Connection
from vsm_mcp.wire.transport import Transport

_PROBE_SECONDS: Final = 10.0
_decode_any: Final = msgspec.json.decode


class _NotModern(Exception):
    """The probe found no evidence of the modern era."""


async def connect(transport: Transport, *, timeout: float, known_era: str | None = None) -> Connection:
    """Open ``transport`` and agree on an era; ``timeout`` (seconds) covers everything.

    ``known_era`` (``modern`` or ``legacy``, from an earlier connection to the same server) saves the probe; when a
    server known as modern refuses, it is treated as unknown.

    Raises :class:`vsm_mcp.errors.TransportError` when the connection breaks meanwhile (a server may die of the probe:
    start it again and say ``known_era="legacy"``), :class:`RequestTimeout` when nothing answers in time,
    :class:`RpcError` when ``initialize`` is refused and :class:`ProtocolError` when no version is shared. The
    transport is closed whenever this raises.
    """
    connection = Connection(transport)
    deadline = asyncio.get_running_loop().time() + timeout
    try:
        async with asyncio.timeout(timeout):
            await connection.open()
            await _negotiate(connection, deadline, timeout, known_era)
    except TimeoutError as error:
        await connection.close()
        raise RequestTimeout(f"the server did not answer the handshake within {timeout:g} s") from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _negotiate(connection: Connection, deadline: float, total: float, known_era: str | None) -> None:
    now = asyncio.get_running_loop().time
    if known_era != "legacy":
        wait = total * 2 / 3 if known_era == "modern" else min(_PROBE_SECONDS, total / 3)
        try:
            return await _discover(connection, wait)
        except _NotModern:
            pass
    try:
        await _initialize(connection, deadline - now())
    except RpcError as error:
        # A slow server may be modern although we had given its probe up, as its refusal shows.
        if not _modern(error):
            raise
        try:
            await _discover(connection, deadline - now())
        except _NotModern:
            raise error from None


async def _discover(connection: Connection, wait: float) -> None:
    """Ask for the modern era; raises :class:`_NotModern` when the server does not show that it speaks it."""
    connection.era, connection.protocol = "modern", era.MODERN
    try:
        result = await _discovered(connection, wait)
        if era.MODERN not in _strings(result.get("supportedVersions")):
            raise _NotModern
    except BaseException:
        connection.era, connection.protocol = "legacy", ""
        raise
    meta = result.get("_meta")
    _adopt(connection, result, meta.get(era.META_SERVER_INFO) if isinstance(meta, dict) else None)


async def _discovered(connection: Connection, wait: float) -> dict[str, Any]:
    for attempt in (1, 2):
        try:
            return _object(await connection.request("server/discover", timeout=wait))
        except RpcError as error:
            supported = _supported(error) if error.rpc_code == era.UNSUPPORTED_VERSION else ()
            if era.MODERN in supported:
                if attempt == 2:
                    raise
            elif supported and not set(supported) & set(era.HANDSHAKE):
                raise ProtocolError(
                    f"no shared protocol version: the server speaks {', '.join(supported)}", "a newer vsm-mcp may"
                ) from error
            else:
                raise _NotModern from error
        except HttpRefused as error:
            if error.status in {401, 403, 407}:
                raise
            raise _NotModern from error
        except (RequestTimeout, _Malformed) as error:
            raise _NotModern from error
    raise _NotModern


async def _initialize(connection: Connection, wait: float) -> None:
    """Shake hands as before 2026-07-28 (specification 2025-11-25, "Lifecycle: Initialization")."""
    params = {
        "protocolVersion": era.LATEST_HANDSHAKE,
        "capabilities": era.HANDSHAKE_CAPABILITIES,
        "clientInfo": CLIENT_INFO,
    }
    result = _object(await connection.request("initialize", params, timeout=max(wait, 0.0)))
    version = result.get("protocolVersion")
    if version not in era.HANDSHAKE:
        raise ProtocolError(
            f"no shared protocol version: the server answered initialize with {version!r}",
            "a newer vsm-mcp may know it",
        )
    connection.protocol = str(version)
    _adopt(connection, result, result.get("serverInfo"))
    await connection.notify("notifications/initialized")


def _adopt(connection: Connection, result: dict[str, Any], server_info: object) -> None:
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    connection.capabilities = capabilities if isinstance(capabilities, dict) else {}
    connection.server_info = server_info if isinstance(server_info, dict) else {}
    connection.instructions = instructions if isinstance(instructions, str) else ""


class _Malformed(ProtocolError):
    """A handshake was answered with something that is no object."""


def _object(result: Raw) -> dict[str, Any]:
    try:
        value = _decode_any(result)
    except UNREADABLE as error:
        raise _Malformed(f"the server's handshake is malformed: {error}") from error
    if not isinstance(value, dict):
        raise _Malformed("the server's handshake is malformed: its result is no object")
    return value


def _modern(error: RpcError) -> bool:
    """Say whether a refusal of ``initialize`` shows the modern era: only that knows a header that has to be there.

    Specification 2026-07-28, "Transports: Standard MCP Request Headers" (-32020) and "Versioning" (-32022).
    """
    if error.rpc_code == era.UNSUPPORTED_VERSION:
        return era.MODERN in _supported(error)
    return error.rpc_code == era.HEADER_MISMATCH


def _supported(error: RpcError) -> tuple[str, ...]:
    try:
        data = _decode_any(error.data or b"null")
    except UNREADABLE:
        return ()
    return _strings(data.get("supported")) if isinstance(data, dict) else ()


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
