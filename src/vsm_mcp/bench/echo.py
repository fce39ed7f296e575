"""The server at the far end of every measured way: one tool, ``echo``, which sends its text back.

It speaks the handshake versions over stdio, or with ``--http PORT`` over streamable HTTP on the loopback. It reads and
writes the text as JSON, as any server has to, and does nothing else. A file by itself that imports nothing of ours: it
runs inside the sandbox as ``python -I echo.py``, where the package is not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final, cast

import msgspec

LARGEST: Final = 64 * 1024 * 1024
"""The largest message, in bytes; whoever sends more is cut off."""

_HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
_CHUNK: Final = 1 << 20
_LARGEST_HEAD: Final = 64 * 1024
_LISTED: Final = msgspec.json.encode(
    {
        "tools": [
            {
                "name": "echo",
                "description": "Send the text back",
                "inputSchema": {
                    "type": "object",
                    "properties": {"text": {"type": "string", "description": "What to send back"}},
                    "required": ["text"],
                },
            }
        ]
    }
)
_ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_NOT_ALLOWED: Final = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class _Arguments(msgspec.Struct):
    text: str = ""


class _Params(msgspec.Struct):
    name: str = ""
    arguments: _Arguments | None = None
    protocolVersion: str = ""  # noqa: N815 - the protocol's name


class _Request(msgspec.Struct):
    method: str = ""
    id: msgspec.Raw = msgspec.Raw(b"")
    params: _Params | None = None


class _Head(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")


_request: Final = msgspec.json.Decoder(_Request)
_head: Final = msgspec.json.Decoder(_Head)
_encoder: Final = msgspec.json.Encoder()


def answer(message: bytes) -> bytes | bytearray | None:
    """Return the answer to one message, ``None`` where it wants none."""
    try:
        request = _request.decode(message)
    except msgspec.MsgspecError as error:
        return _unread(message, str(error))
    ident = bytes(request.id)
    if not ident or not request.method:
        return None
    params = request.params or _Params()
    if request.method == "tools/call" and params.name == "echo" and params.arguments is not None:
        reply = bytearray(b'{"jsonrpc":"2.0","id":%b,"result":{"content":[{"type":"text","text":' % ident)
        _encoder.encode_into(params.arguments.text, reply, -1)
        reply += b'}],"isError":false}}'
        return reply
    result = _result(request.method, params)
    if result is None:
        return _refusal(ident, -32601, f"there is no such method or tool: {request.method} {params.name}")
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (ident, result)


def _result(method: str, params: _Params) -> bytes | None:
    if method == "tools/list":
        return _LISTED
    if method == "initialize":
        asked = params.protocolVersion
        return _encoder.encode(
            {
                "protocolVersion": asked if asked in _HANDSHAKE else _HANDSHAKE[-1],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "echo", "version": "1"},
            }
        )
    return b"{}" if method == "ping" else None


def _unread(message: bytes, why: str) -> bytes:
    try:
        return _refusal(bytes(_head.decode(message).id), -32602, why)
    except msgspec.MsgspecError:
        return _refusal(b"null", -32700, why)


def _refusal(ident: bytes, code: int, why: str) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b}}' % (ident, code, _encoder.encode(why))


def over_pipes() -> None:
    """Answer what comes on standard input, line by line, until it ends."""
    rest = bytearray()
    while chunk := os.read(0, _CHUNK):
        seen = len(rest)
        rest += chunk
        last = rest.rfind(b"\n", seen)
        if last < 0:
            if len(rest) > LARGEST:
                return
            continue
        lines = bytes(memoryview(rest)[:last]).split(b"\n")
        del rest[: last + 1]
        replies = [reply for line in lines if line.strip() and (reply := answer(line)) is not None]
        view = memoryview(b"\n".join([*replies, b""]))
        while view:
            view = view[os.write(1, view) :]


class Connection(asyncio.Protocol):
    """One connection of a client over HTTP/1.1; each request is answered before the next is read."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request that has come."""
        self._rest += data
        while len(self._rest) >= self._wanted and (request := self._next()) is not None:
            self._transport.writelines(_response(*request))

    def _next(self) -> tuple[bytes, bytes] | None:
        """Take the next request out of what came, as head and body; ``None`` until all of it is there."""
        end = self._rest.find(b"\r\n\r\n", 0, _LARGEST_HEAD)
        head = bytes(self._rest[: max(end, 0)])
        total = end + 4 + _content_length(head) if head else len(self._rest) + 1
        if total > (LARGEST if head else _LARGEST_HEAD):
            self._transport.abort()
            return None
        if len(self._rest) < total:
            self._wanted = total
            return None
        body = bytes(memoryview(self._rest)[end + 4 : total])
        del self._rest[:total]
        self._wanted = 1
        return head, body


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


def _response(head: bytes, body: bytes) -> tuple[bytes | bytearray, ...]:
    if not head.startswith(b"POST "):
        return (_NOT_ALLOWED,)
    reply = answer(body)
    return (_ACCEPTED,) if reply is None else (_OK % len(reply), reply)


async def over_http(port: int) -> None:
    """Serve on a port of the loopback until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    over = asyncio.Event()
    loop.add_reader(0, lambda: None if os.read(0, 4096) else over.set())
    await over.wait()
    loop.remove_reader(0)
    server.close()


if __name__ == "__main__":
    if "--http" in sys.argv:
        import uvloop

        uvloop.run(over_http(int(sys.argv[sys.argv.index("--http") + 1])))
    else:
        over_pipes()
