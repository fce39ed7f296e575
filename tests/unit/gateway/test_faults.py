from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.gateway.gateway import Limits


async def call(demo: Any, name: str, **arguments: Any) -> Any:
    return (await demo.modern("tools/call", {"name": name, "arguments": arguments}))[1]


async def test_a_server_that_is_down_is_named(start: Any) -> None:
    demo = await start({"good": [], "bad": []})
    demo.fleet.down["bad"] = "it needs API_KEY"
    body = await call(demo, "bad__echo", text="x")
    result = body["result"]
    assert result["isError"] is True
    text = result["content"][0]["text"]
    assert "bad" in text
    assert "it needs API_KEY" in text
    failure = result["_meta"]["vsm-mcp/failure"]
    assert failure["server"] == "bad"
    assert failure["class"] == "transport"
    assert failure["retryable"] is True
    assert failure["hint"]
    status, body = await demo.modern("prompts/get", {"name": "bad__greet"})
    assert (status, body["error"]["code"], body["error"]["data"]["server"]) == (200, -32603, "bad")
    assert (await call(demo, "good__echo", text="x"))["result"]["content"][0]["text"] == "echo:x"


async def test_a_server_that_never_answers_costs_the_others_nothing(start: Any) -> None:
    demo = await start({"good": [], "hung": ["--no-answer"]}, config.Gateway(call_timeout_seconds=0.5))
    hung = [asyncio.ensure_future(call(demo, "hung__echo", text="x")) for _ in range(20)]
    answers = await asyncio.gather(*(call(demo, "good__echo", text=str(n)) for n in range(20)))
    assert [answer["result"]["content"][0]["text"] for answer in answers] == [f"echo:{n}" for n in range(20)]
    assert not any(task.done() for task in hung)
    for body in await asyncio.gather(*hung):
        failure = body["result"]["_meta"]["vsm-mcp/failure"]
        assert (failure["server"], failure["class"], failure["retryable"]) == ("hung", "timeout", True)
        assert "carried out" in failure["hint"]
    # lists never waited for it
    assert "hung__echo" in [tool["name"] for tool in (await demo.modern("tools/list"))[1]["result"]["tools"]]


async def test_killed_in_the_middle_of_a_call(start: Any) -> None:
    demo = await start({"one": [], "two": []})
    slow = asyncio.ensure_future(call(demo, "one__slow", seconds=30))
    connection = demo.fleet.connections["one"]
    await demo.until(lambda: connection.in_flight > 0)
    os.kill(demo.fleet.processes["one"].pid, signal.SIGKILL)
    began = asyncio.get_running_loop().time()
    failure = (await slow)["result"]["_meta"]["vsm-mcp/failure"]
    assert asyncio.get_running_loop().time() - began < 1
    assert (failure["server"], failure["class"]) == ("one", "transport")
    assert (await call(demo, "one__echo", text="again"))["result"]["content"][0]["text"] == "echo:again"
    assert demo.fleet.started == {"one": 2, "two": 1}


@pytest.mark.parametrize("mode", ["legacy", "modern"])
@pytest.mark.parametrize("fault", ["--half-line", "--no-newline", "--twice", "--string-id", "--invalid-utf8", "--junk"])
async def test_broken_answers(start: Any, mode: str, fault: str) -> None:
    demo = await start({"bad": ["--mode", mode, fault]}, config.Gateway(call_timeout_seconds=2))
    body = await call(demo, "bad__echo", text="x")
    if fault == "--half-line":
        assert body["result"]["_meta"]["vsm-mcp/failure"]["class"] == "transport"
    else:
        assert body["result"]["content"][0]["text"].startswith("echo:")


async def test_a_client_that_leaves_cancels_its_call(start: Any, tmp_path: Any) -> None:
    record = tmp_path / "record"
    demo = await start({"one": ["--record", str(record)]})
    task = asyncio.ensure_future(call(demo, "one__slow", seconds=30))
    connection = demo.fleet.connections["one"]
    await demo.until(lambda: connection.in_flight > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await demo.until(lambda: connection.in_flight == 0)
    await demo.until(lambda: "notifications/cancelled" in record.read_text())


async def test_a_long_silence_is_kept_alive(start: Any) -> None:
    demo = await start({"one": []}, limits=Limits(keep_alive_seconds=0.05))
    await demo.initialize()
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "one__slow", "arguments": {"seconds": 0.4}},
    }
    _, headers, body = await demo.post(message, mcp_session_id=demo.session)
    assert headers["content-type"] == "text/event-stream"
    assert body.startswith(": ping\r\n\r\n")
    assert json.loads(body.split("data: ")[-1])["id"] == 1


async def test_large_answers_and_arguments_pass(start: Any) -> None:
    demo = await start({"old": [], "new": ["--mode", "modern"]})
    text = "é" * 2_000_000
    for server in ("old", "new"):
        body = await call(demo, f"{server}__echo", text=text)
        assert body["result"]["content"][0]["text"] == "echo:" + text


async def test_denied_tools_are_neither_listed_nor_called(demo: Any) -> None:
    demo.gateway.set_offers(demo.gateway._offers, denied=("*__env", "old__p?d"))
    names = {tool["name"] for tool in (await demo.modern("tools/list"))[1]["result"]["tools"]}
    assert {"old__env", "new__env", "old__pid"}.isdisjoint(names)
    assert "new__pid" in names
    status, body = await demo.modern("tools/call", {"name": "old__pid"})
    assert (status, body["error"]["code"], body["error"]["data"]["class"]) == (400, -32602, "policy")
