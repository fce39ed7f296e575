"""Servers that run elsewhere: which transport is tried, what is remembered, and what is said when none fits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp.web
import msgspec
import pytest

from vsm_mcp.errors import BadReference, ServerDown
from vsm_mcp.runtime.remote import Remote, open_remote
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.transports import transports_to
from vsm_mcp.testing import faulty_fronts, faulty_http
from vsm_mcp.wire.transport import Target

ECHO: dict[str, object] = {"name": "echo", "arguments": {"text": "hi"}}


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[Remote]:
    remote = await open_remote(ServerSpec(name="r", url=url, start_timeout=5, **more), lambda _event: None)
    try:
        yield remote
    finally:
        await remote.stop()


async def works(remote: Remote) -> bool:
    result = msgspec.json.decode(await remote.connection.request("tools/call", ECHO, timeout=5))
    return bool(result["content"][0]["text"] == "echo:hi")


@pytest.mark.parametrize(("kind", "transport"), [("ws", "websocket"), ("tcp", "tcp"), ("sse", "http+sse")])
async def test_each_is_found_by_its_address(kind: str, transport: str) -> None:
    async with faulty_fronts.serving(kind) as (url, _), opened(url) as remote:
        assert await works(remote)
        assert (remote.transport, remote.tier, remote.connection.era) == (transport, "remote", "legacy")


async def test_streamable_http_comes_first() -> None:
    async with faulty_http.serving("--mode=both") as (url, _), opened(url) as remote:
        assert await works(remote)
        assert (remote.transport, remote.connection.era) == ("streamable-http", "modern")


async def test_what_was_found_is_tried_first() -> None:
    async with faulty_fronts.serving("sse") as (url, front):
        async with opened(url, known_transport="http+sse") as remote:
            assert await works(remote)
        assert [message["method"] for message in front.seen][:1] == ["initialize"]  # and no probe before it
    async with faulty_http.serving() as (url, _), opened(url, known_transport="http+sse") as remote:
        assert remote.transport == "streamable-http"  # it was replaced by a newer one in the meantime


async def test_a_server_that_speaks_neither() -> None:
    async with faulty_fronts.serving("sse") as (url, _):
        with pytest.raises(ServerDown, match="404") as down:
            async with opened(url + "/nowhere"):
                pass
        assert "URL of an MCP endpoint" in down.value.hint
    async with faulty_http.serving("--token=x") as (url, endpoint):
        with pytest.raises(ServerDown, match="authorization"):
            async with opened(url):
                pass
        assert len(endpoint.seen) == 1  # nothing else is tried for that


@pytest.mark.parametrize(("status", "asked"), [(405, ["POST", "POST", "GET"]), (403, ["POST"]), (503, ["POST"])])
async def test_what_is_told_is_what_was_said_first(status: int, asked: list[str]) -> None:
    """A web page behind the address says less than the refusal of a POST; other refusals have other reasons."""
    seen: list[str] = []

    async def page(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(request.method)
        if request.method == "GET":
            return aiohttp.web.Response(text="<html>", content_type="text/html")
        return aiohttp.web.Response(status=status)

    app = aiohttp.web.Application()
    app.router.add_route("*", "/", page)
    runner = aiohttp.web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        with pytest.raises(ServerDown, match=f"{status}"):
            async with opened(f"http://127.0.0.1:{runner.addresses[0][1]}/"):
                pass
    finally:
        await runner.cleanup()
    assert seen == asked


async def test_a_refusal_of_the_fallback_is_told() -> None:
    async with faulty_fronts.serving("sse", "--endpoint=http://elsewhere.invalid/x") as (url, _):
        with pytest.raises(ServerDown, match=r"elsewhere\.invalid"):
            async with opened(url):
                pass


@pytest.mark.parametrize("kind", ["sse", "ws", "tcp"])
async def test_the_longest_message_is_the_home_s(kind: str) -> None:
    async with faulty_fronts.serving(kind) as (url, _), opened(url, max_message=50_000) as remote:
        with pytest.raises(Exception, match="more than 50000 bytes"):
            await remote.connection.request("tools/call", {"name": "big", "arguments": {"bytes": 90_000}}, timeout=5)


def test_a_scheme_that_nothing_speaks() -> None:
    with pytest.raises(BadReference, match="nothing here speaks gopher://") as refused:
        transports_to(Target(url="gopher://host/"))
    assert "wss://" in refused.value.hint
