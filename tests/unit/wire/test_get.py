from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from vsm_mcp.errors import HttpRefused, ProtocolError, RequestTimeout, TransportError
from vsm_mcp.wire.get import get


@contextlib.asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for byte in answer or b"":
            writer.write(bytes([byte]))
            await writer.drain()
        if answer is None:
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


@pytest.mark.parametrize("status", [200, 204, 302, 399])
async def test_a_status_below_400_is_well(status: int) -> None:
    async with answering(b"HTTP/1.1 %d Fine\r\nContent-Length: 0\r\n\r\n" % status) as (url, asked):
        await get(f"{url}/health?full=1", 5)
    assert asked[0].startswith(b"GET /health?full=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize("status", [400, 404, 503])
async def test_any_other_is_not(status: int) -> None:
    async with answering(b"HTTP/1.0 %d\r\n\r\n" % status) as (url, _):
        with pytest.raises(HttpRefused, match=f"answered GET /health with {status}") as caught:
            await get(f"{url}/health", 5)
    assert caught.value.status == status


async def test_what_is_no_http_is_no_answer() -> None:
    for answer in (b"", b"hello\n", b"HTTP/2 200\r\n", b"x" * 9000):
        async with answering(answer) as (url, _):
            with pytest.raises(ProtocolError, match="by HTTP"):
                await get(url, 5)


async def test_silence_is_bounded_and_nobody_is_named() -> None:
    async with answering(None) as (url, _):
        with pytest.raises(RequestTimeout, match=r"within 0\.1 s"):
            await get(url, 0.1)
    with pytest.raises(TransportError, match="cannot be reached"):
        await get(url, 5)
