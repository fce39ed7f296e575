"""WebSockets: the handshake, what keeps them alive, and what ends them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp.web
import pytest

from vsm_mcp.errors import HttpRefused, TransportError
from vsm_mcp.testing.faulty_fronts import Front, serving
from vsm_mcp.wire import websocket
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Head, Target
from vsm_mcp.wire.websocket import WebSocketTransport

ECHO: dict[str, object] = {"name": "echo", "arguments": {"text": "hi"}}
REQUEST = Head(kind="request", method="x", id=1)


@asynccontextmanager
async def talking(*faults: str, headers: dict[str, str] | None = None) -> AsyncIterator[tuple[Connection, Front]]:
    async with serving("ws", *faults) as (url, front):
        connection = await connect(WebSocketTransport(Target(url=url, headers=headers or {})), timeout=5)
        try:
            yield connection, front
        finally:
            await connection.close()


@asynccontextmanager
async def serving_raw(**options: Any) -> AsyncIterator[tuple[str, list[aiohttp.web.WebSocketResponse]]]:
    """A server that only listens; yields its URL and its sockets."""
    sockets: list[aiohttp.web.WebSocketResponse] = []

    async def listen(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
        socket = aiohttp.web.WebSocketResponse(**options)
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    app = aiohttp.web.Application()
    app.router.add_get("/", listen)
    runner = aiohttp.web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/", sockets
    finally:
        await runner.cleanup()


async def test_the_handshake() -> None:
    async with talking("--mode=both", headers={"X-Key": "s3cret"}) as (connection, front):
        assert connection.era == "modern"
        [headers] = front.headers
        assert headers["Sec-WebSocket-Protocol"] == "mcp"
        assert headers["X-Key"] == "s3cret"
        assert "permessage-deflate" not in headers.get("Sec-WebSocket-Extensions", "")


async def test_it_is_redirected_nowhere() -> None:
    async with serving("ws") as (url, front):
        with pytest.raises(HttpRefused, match="redirects elsewhere"):
            async with talking(f"--redirect={url.replace('ws:', 'http:')}", headers={"X-Key": "s3cret"}):
                pass
        assert not front.headers


async def test_a_web_page_is_no_websocket() -> None:
    async with serving("sse") as (url, _):
        with pytest.raises(HttpRefused) as refused:
            await connect(WebSocketTransport(Target(url=url.replace("http:", "ws:") + "nowhere")), timeout=5)
        assert refused.value.status == 404


async def test_a_server_that_is_gone_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "_PING_SECONDS", 0.1)
    async with serving_raw(autoping=False) as (url, _):
        connection = Connection(WebSocketTransport(Target(url=url)))
        await connection.open()
        assert "closed the connection" in await asyncio.wait_for(connection.closed, 60)
        with pytest.raises(TransportError):
            await connection.request("x", timeout=5)
        await connection.close()


async def test_one_that_answers_pings_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "_PING_SECONDS", 0.05)
    async with serving_raw() as (url, _):
        connection = Connection(WebSocketTransport(Target(url=url)))
        await connection.open()
        done, _pending = await asyncio.wait({connection.closed}, timeout=0.4)
        assert not done
        await connection.close()


async def test_frames_that_are_no_messages(until: Any) -> None:
    delivered: list[bytes] = []

    def deliver(data: bytes, about: int | None) -> bool:
        assert about is None
        delivered.append(data)
        return False

    async with serving_raw() as (url, sockets):
        transport = WebSocketTransport(Target(url=url))
        await transport.open(deliver, lambda _reason: None)
        await sockets[0].send_str('{"a":"é"}')
        await sockets[0].send_bytes(b'{"b":\xff}')
        await until(lambda: len(delivered) == 2)
        assert delivered == ['{"a":"é"}'.encode(), b'{"b":\xff}']
        await transport.close()
        await transport.close()
        with pytest.raises(TransportError):
            await transport.send(b"{}", REQUEST)


async def test_the_reason_of_the_end() -> None:
    lost: list[str] = []
    async with serving_raw() as (url, sockets):
        transport = WebSocketTransport(Target(url=url))
        over = asyncio.Event()

        def ended(reason: str) -> None:
            lost.append(reason)
            over.set()

        await transport.open(lambda _data, _about: False, ended)
        await sockets[0].close(code=1012)
        await asyncio.wait_for(over.wait(), 60)
        await transport.close()
        assert lost == ["the server closed the connection (1012)"]


@pytest.mark.parametrize("waited_for", [False, True])
async def test_what_nobody_waits_for_gets_a_share_of_the_time(waited_for: bool) -> None:
    worked: list[float] = []
    all_taken = asyncio.Event()

    def deliver(_data: bytes, _about: int | None) -> bool:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.001:
            pass
        worked.append(time.perf_counter() - began)
        if len(worked) == 50:
            all_taken.set()
        return waited_for

    async with serving_raw() as (url, sockets):
        transport = WebSocketTransport(Target(url=url))
        await transport.open(deliver, lambda _reason: None)
        began = time.perf_counter()
        for _ in range(50):
            await sockets[0].send_str("x")
        await asyncio.wait_for(all_taken.wait(), 30)
        seconds = time.perf_counter() - began
        await transport.close()
    if not waited_for:
        assert seconds > 3 * sum(worked)  # however busy the machine is: pauses are as long as the work was
