from __future__ import annotations

import asyncio
import json
from typing import Any

from vsm_mcp.gateway.gateway import Limits

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": VERSION,
    "mcp-method": "subscriptions/listen",
}


def message(wanted: Any, ident: Any = "listen-1") -> dict[str, Any]:
    params = {"notifications": wanted, "_meta": META}
    return {"jsonrpc": "2.0", "id": ident, "method": "subscriptions/listen", "params": params}


async def frame(stream: Any) -> Any:
    async with asyncio.timeout(60):
        while True:
            event = (await stream.content.readuntil(b"\r\n\r\n")).decode()
            data = [line[6:] for line in event.splitlines() if line.startswith("data: ")]
            if data:
                return json.loads(data[0])


async def test_acknowledged_then_changes_then_the_result(demo: Any) -> None:
    wanted = {"toolsListChanged": True, "promptsListChanged": False, "resourceSubscriptions": ["note://one"]}
    async with demo.http.post(demo.url, json=message(wanted), headers=HEADERS) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["x-accel-buffering"] == "no"
        first = await frame(stream)
        assert first["method"] == "notifications/subscriptions/acknowledged"
        meta = {"io.modelcontextprotocol/subscriptionId": "listen-1"}
        assert first["params"] == {"notifications": {"toolsListChanged": True}, "_meta": meta}
        demo.gateway.remove_offer("new")
        assert await frame(stream) == {
            "jsonrpc": "2.0",
            "method": "notifications/tools/list_changed",
            "params": {"_meta": meta},
        }
        demo.gateway.close()
        last = await frame(stream)
        assert last["id"] == "listen-1"
        assert last["result"]["resultType"] == "complete"
        assert last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "listen-1"
        assert await stream.content.read() == b""
    assert len(demo.gateway.view.changes) == 0


async def test_a_server_that_changes_its_list_is_heard(start: Any) -> None:
    demo = await start({"old": ["--change-after", "1"], "new": ["--mode", "modern", "--change-after", "1"]})
    for server in ("old", "new"):
        async with demo.http.post(demo.url, json=message({"toolsListChanged": True}), headers=HEADERS) as stream:
            await frame(stream)
            before = (await demo.modern("tools/list"))[1]["result"]["tools"]
            await demo.modern("tools/call", {"name": f"{server}__echo", "arguments": {"text": "x"}})
            assert (await frame(stream))["method"] == "notifications/tools/list_changed"
            assert (await demo.modern("tools/list"))[1]["result"]["tools"] != before


async def test_refusals(start: Any) -> None:
    demo = await start({}, limits=Limits(listeners=1))
    headers = {**HEADERS, "accept": "application/json"}
    async with demo.http.post(demo.url, json=message({}), headers=headers) as answer:
        assert answer.status == 406
    async with demo.http.post(demo.url, json=message([]), headers=HEADERS) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, -32602)
    async with demo.http.post(demo.url, json=message({}), headers=HEADERS) as one:
        await frame(one)
        async with demo.http.post(demo.url, json=message({}), headers=HEADERS) as other:
            assert (other.status, other.headers["retry-after"]) == (503, "1")


async def test_a_listener_that_leaves_is_forgotten_and_silence_is_kept_alive(start: Any) -> None:
    demo = await start({}, limits=Limits(keep_alive_seconds=0.02))
    async with demo.http.post(demo.url, json=message({}), headers=HEADERS) as stream:
        await frame(stream)
        assert await stream.content.readuntil(b"\r\n\r\n") == b": ping\r\n\r\n"
        assert len(demo.gateway.view.changes) == 1
    await demo.until(lambda: len(demo.gateway.view.changes) == 0)
