"""HTTP+SSE of 2024-11-05: where messages go, what comes on the stream, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from vsm_mcp.errors import HttpRefused, RequestTimeout, TransportError
from vsm_mcp.testing.faulty_fronts import Front, serving
from vsm_mcp.wire import http_sse
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http_sse import HttpSseTransport
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Target

ECHO: dict[str, object] = {"name": "echo", "arguments": {"text": "hi"}}


@asynccontextmanager
async def talking(*faults: str, headers: dict[str, str] | None = None) -> AsyncIterator[tuple[Connection, Front]]:
    async with serving("sse", *faults) as (url, front):
        transport = HttpSseTransport(Target(url=url, headers=headers or {}))
        connection = await connect(transport, timeout=5, known_era=transport.only_era)
        try:
            yield connection, front
        finally:
            await connection.close()


async def test_messages_go_where_the_stream_says() -> None:
    async with talking(headers={"X-Key": "s3cret"}) as (connection, front):
        assert connection.era == "legacy"
        assert msgspec.json.decode(await connection.request("tools/call", ECHO, timeout=5))["isError"] is False
        assert [message["method"] for message in front.seen] == [
            "initialize",
            "notifications/initialized",
            "tools/call",
        ]
        assert all(headers["X-Key"] == "s3cret" for headers in front.headers)
        assert front.headers[0]["Accept"] == "text/event-stream"


async def test_an_endpoint_elsewhere_gets_nothing() -> None:
    with pytest.raises(TransportError, match=r"wants messages sent to http://elsewhere\.invalid") as refused:
        async with talking("--endpoint=http://elsewhere.invalid/messages", headers={"X-Key": "s3cret"}):
            pass
    assert "own origin" in refused.value.hint


@pytest.mark.parametrize("endpoint", ["http://[", "https://127.0.0.1/messages", "//elsewhere.invalid/x", "ftp:x"])
async def test_other_endpoints_that_are_not_its_own(endpoint: str) -> None:
    with pytest.raises(TransportError, match=r"sent to|cannot be read|not one of"):
        async with talking(f"--endpoint={endpoint}"):
            pass


async def test_a_stream_that_names_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_sse, "_OPEN_SECONDS", 0.1)
    with pytest.raises(HttpRefused, match="does not say where messages are to be sent"):
        async with talking("--endpoint="):
            pass


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (401, False), (503, True)])
async def test_a_message_that_is_refused(status: int, retryable: bool) -> None:
    async with talking() as (connection, front):
        front.chosen.refuse_post = status
        with pytest.raises(TransportError, match=str(status)) as refused:
            await connection.request("tools/call", ECHO, timeout=5)
        assert refused.value.retryable == retryable
        front.chosen.refuse_post = 0
        assert await connection.request("tools/call", ECHO, timeout=5)


async def test_the_end_of_the_stream_is_the_end_of_the_conversation(until: Any) -> None:
    async with talking() as (connection, front):
        waiting = asyncio.ensure_future(
            connection.request("tools/call", {"name": "slow", "arguments": {"seconds": 20}}, timeout=30)
        )
        await until(lambda: len(front.seen) == 3)
        front.talks[0].leave()
        with pytest.raises(TransportError, match="ended its stream"):
            await waiting
        assert "ended its stream" in await connection.closed
        with pytest.raises(TransportError):
            await connection.request("tools/call", ECHO, timeout=5)


async def test_giving_up_tells_the_server(until: Any) -> None:
    async with talking() as (connection, front):
        with pytest.raises(RequestTimeout):
            await connection.request("tools/call", {"name": "slow", "arguments": {"seconds": 20}}, timeout=0.1)
        await until(lambda: front.seen[-1]["method"] == "notifications/cancelled")
        assert front.seen[-1]["params"]["requestId"] == front.seen[-2]["id"]


async def test_redirections() -> None:
    """Frameworks redirect ``/sse`` to ``/sse/``, and the place of messages likewise; another port is elsewhere."""
    async with serving("sse", "--endpoint=/moved") as (url, front):
        connection = await connect(
            HttpSseTransport(Target(url=url.replace("/sse", "/moved"))), timeout=5, known_era="legacy"
        )
        assert await connection.request("tools/call", ECHO, timeout=5)
        assert len(front.seen) == 3
        await connection.close()
        front.headers.clear()
        async with serving("sse", f"--redirect={url}") as (other, _):
            with pytest.raises(HttpRefused, match="redirects to"):
                await connect(HttpSseTransport(Target(url=other)), timeout=5, known_era="legacy")
        assert not front.headers
