"""The pair of endpoints of 2024-11-05, by the Python SDK's client and by hand."""

from __future__ import annotations

import asyncio
import json
from typing import Any


async def test_the_sdk_speaks_it(demo: Any) -> None:
    from mcp import ClientSession
    from mcp.client.sse import sse_client

    url = demo.url.removesuffix("/mcp") + "/sse"
    async with asyncio.timeout(20), sse_client(url) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        for server in ("old", "new"):
            result = await session.call_tool(f"{server}__echo", {"text": "hello"})
            assert result.content[0].text == "echo:hello"  # type: ignore[union-attr]
    await demo.until(lambda: len(demo.gateway.sessions) == 0)


async def test_where_to_post(demo: Any) -> None:
    origin = demo.url.removesuffix("/mcp")
    async with demo.http.get(f"{origin}/sse") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        endpoint = (await stream.content.readuntil(b"\r\n\r\n")).decode()
        assert endpoint.startswith("event: endpoint\r\ndata: /messages?session=")
        where = origin + endpoint.split("data: ")[1].strip()
        async with demo.http.post(where, json={"jsonrpc": "2.0", "id": 7, "method": "ping"}) as posted:
            assert posted.status == 202
        event = (await stream.content.readuntil(b"\r\n\r\n")).decode()
        assert json.loads(event.split("data: ")[1]) == {"jsonrpc": "2.0", "id": 7, "result": {}}
        async with demo.http.post(where, data=b"[", headers={"content-type": "application/json"}) as posted:
            assert posted.status == 202
        event = (await stream.content.readuntil(b"\r\n\r\n")).decode()
        assert json.loads(event.split("data: ")[1])["error"]["code"] == -32700


async def test_what_is_refused(demo: Any) -> None:
    origin = demo.url.removesuffix("/mcp")
    for verb, path, status in (
        ("post", "/messages?session=none", 404),
        ("post", "/messages", 404),
        ("get", "/messages", 404),
        ("get", "/sse/nobody", 404),
        ("post", "/sse", 405),
    ):
        async with demo.http.request(verb, f"{origin}{path}", json={}) as answer:
            assert answer.status == status, (verb, path)
    async with demo.http.get(f"{origin}/sse", headers={"origin": "https://evil.example"}) as answer:
        assert answer.status == 403
