"""The stream of events over a WebSocket (RFC 6455): one JSON document a text message. wsproto does the framing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from vsm_mcp.web.stream import SILENCE_SECONDS, EventStream, Reader, notice
from vsm_mcp.web.upgrade import Tunnel

_DEAF_SECONDS: Final = 40.0
"""How long a client may send nothing, not even the answer to a ping, before it is taken for gone."""

_CLOSE_SECONDS: Final = 1.0
_GOING_AWAY: Final = 1001
_UNSUPPORTED: Final = 1003
_TOO_SLOW: Final = 1008
_VERSION: Final = b"13"
_KEY_BYTES: Final = 24
_OPENED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: %b\r\n\r\n"
)
_REFUSED: Final = (
    b"HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


async def follow(tunnel: Tunnel, fields: Mapping[bytes, bytes], stream: EventStream, reader: Reader) -> None:
    """Open the WebSocket and send events until the client leaves or the reader's stream ends.

    A handshake of another version is refused with 426 (RFC 6455, section 4.4). What the client sends is not read, but
    for its leaving: nothing can be asked here.
    """
    key = fields.get(b"sec-websocket-key", b"")
    if fields.get(b"sec-websocket-version") != _VERSION or len(key) != _KEY_BYTES:
        tunnel.open(_REFUSED)
        return
    tunnel.open(_OPENED % generate_accept_token(key))
    connection = Connection(ConnectionType.SERVER)
    hearing = asyncio.ensure_future(_hear(tunnel, connection))
    hearing.add_done_callback(lambda _task: reader.end())
    try:
        if reader.missed:
            _say(tunnel, connection, notice(reader))
        while not hearing.done():
            entries = await reader.take(SILENCE_SECONDS)
            if not entries and reader.over:
                break
            for entry in entries:
                _say(tunnel, connection, stream.document(entry))
            if not entries:
                tunnel.write(connection.send(Ping()))
            await tunnel.drained()
        if not hearing.done():
            await _farewell(tunnel, connection, reader, hearing)
    except LocalProtocolError:
        pass  # the client has closed its side between two looks
    finally:
        hearing.cancel()
        await asyncio.wait([hearing])


def _say(tunnel: Tunnel, connection: Connection, document: bytes) -> None:
    tunnel.write(connection.send(TextMessage(document.decode())))


async def _farewell(tunnel: Tunnel, connection: Connection, reader: Reader, hearing: asyncio.Future[None]) -> None:
    """Close in good order; whoever was too slow is told."""
    if reader.dropped:
        _say(tunnel, connection, notice(reader))
    tunnel.write(connection.send(CloseConnection(code=_TOO_SLOW if reader.dropped else _GOING_AWAY)))
    await asyncio.wait([hearing], timeout=_CLOSE_SECONDS)


async def _hear(tunnel: Tunnel, connection: Connection) -> None:
    """Return when the client has gone, said that it goes, broke the protocol, or was silent for too long."""
    while True:
        data = await tunnel.received(_DEAF_SECONDS)
        if not data:
            return
        try:
            connection.receive_data(data)
            for event in connection.events():
                if isinstance(event, Ping):
                    tunnel.write(connection.send(event.response()))
                elif isinstance(event, CloseConnection):
                    tunnel.write(connection.send(event.response()))
                    return
                elif isinstance(event, Message):
                    tunnel.write(connection.send(CloseConnection(code=_UNSUPPORTED)))
                    return
        except (RemoteProtocolError, LocalProtocolError):
            return
