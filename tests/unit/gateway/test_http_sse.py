"""The pair of endpoints of 2024-11-05, by the Python SDK's client and by hand."""

from __future__ import annotations

import asyncio
import json
from typing import Any


async def test_the_sdk_speaks_it(demo: Any) -> None:
    from mcp import ClientSession
    from mcp.client.sse import sse_client

    url = demo.url.removesuffix("/mcp") + "/sse"
    async with asyncio.timeout(60), sse_client(url) as (read, write), ClientSession(read, write) as session:
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


async def test_what_a_server_says_to_a_client_that_does_not_read_is_dropped_but_for_its_answer(start: Any) -> None:
    demo = await start({"old": ["--progress", "20000"]})
    origin = demo.url.removesuffix("/mcp")
    params = {"name": "old__echo", "arguments": {"text": "x"}, "_meta": {"progressToken": "t" * 2000}}
    async with demo.http.get(f"{origin}/sse") as stream:
        where = origin + (await stream.content.readuntil(b"\r\n\r\n")).decode().split("data: ")[1].strip()
        stream.connection.transport.pause_reading()
        message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
        async with demo.http.post(where, json=message) as posted:
            assert posted.status == 202
        connection = demo.fleet.connections["old"]
        await demo.until(lambda: connection.in_flight > 0)
        await demo.until(lambda: connection.in_flight == 0)
        stream.connection.transport.resume_reading()
        heard = 0
        while b"notifications/progress" in (event := await stream.content.readuntil(b"\r\n\r\n")):
            heard += 1
        assert json.loads(event.decode().split("data: ")[1])["id"] == 7
        assert 0 < heard < 15_000


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
