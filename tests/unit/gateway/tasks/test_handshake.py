"""What only handshake servers do with their tasks, and clients that leave or are asked in the middle of them."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from vsm_mcp.errors import RpcError, ServerDown, TaskFailed
from vsm_mcp.gateway import parking
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.testing import tasked

CAPABILITIES: Any = {"elicitation": {"form": {}}}
META = {"io.modelcontextprotocol/clientCapabilities": CAPABILITIES}
SERVER = ["--", sys.executable, tasked.__file__]
BOTH = pytest.mark.parametrize("server", ["old", "new"])
SERVERS = {"old": SERVER, "new": [*SERVER, "--mode", "modern"]}


async def call(demo: Any, tool: str, **more: Any) -> Any:
    """Call a tool as a modern client that can be asked, and that knows no tasks."""
    _, body = await demo.modern("tools/call", {"name": tool, "arguments": {"filename": tool}, "_meta": META, **more})
    return body.get("result", body.get("error"))


def answers(result: Any, name: str) -> dict[str, Any]:
    given = {key: {"action": "accept", "content": {"name": name}} for key in result["inputRequests"]}
    return {"inputResponses": given, "requestState": result["requestState"]}


def said(result: Any) -> Any:
    return json.loads(result["content"][0]["text"])


@BOTH
async def test_each_client_is_asked_about_its_own_task(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(call(demo, f"{server}__confirm_delete")) for _ in range(4)]
    asked = [await each for each in calls]
    assert [each["resultType"] for each in asked] == ["input_required"] * 4
    for number in (2, 0, 3, 1):
        result = await call(demo, f"{server}__confirm_delete", **answers(asked[number], f"n{number}"))
        assert said(result)["confirm"]["content"] == {"name": f"n{number}"}
    assert not demo.fleet.asking


@BOTH
async def test_missing_answers_are_asked_for_again(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    first = await call(demo, f"{server}__multi_input")
    key, *others = first["inputRequests"]
    given = {key: {"action": "accept", "content": {"name": "one"}}}
    again = await call(demo, f"{server}__multi_input", inputResponses=given, requestState=first["requestState"])
    while not again["inputRequests"]:  # a handshake server asks one after the other
        again = await call(demo, f"{server}__multi_input", **answers(again, "x"))
    assert key not in again["inputRequests"]
    assert set(others) <= again["inputRequests"].keys()
    result = await call(demo, f"{server}__multi_input", **answers(again, "two"))
    assert sorted(answer["content"]["name"] for answer in said(result).values()) == ["one", "two"]


@BOTH
async def test_a_client_that_does_not_come_back(start: Any, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "SECONDS", 0.1)
    demo = await start(SERVERS)
    assert (await call(demo, f"{server}__confirm_delete"))["resultType"] == "input_required"
    async with asyncio.timeout(60):
        while said(await call(demo, f"{server}__ledger"))["1"][0] != "cancelled":
            pass
    await demo.until(lambda: demo.fleet.connections[server].calls == 0)


@BOTH
async def test_a_task_that_ends_while_its_client_thinks(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    first = await call(demo, f"{server}__confirm_delete")
    demo.fleet.processes[server].kill()
    await demo.until(demo.fleet.connections[server].closed.done)
    failed = await call(demo, f"{server}__confirm_delete", **answers(first, "late"))
    assert failed["_meta"]["vsm-mcp/failure"]["class"] == "transport"


async def test_questions_before_the_result_is_asked_for(start: Any) -> None:
    demo = await start(SERVERS)
    arguments = {"filename": "x", "early": True, "poll": 86_400_000}
    first = await call(demo, "old__confirm_delete", arguments=arguments)
    result = await call(demo, "old__confirm_delete", arguments=arguments, **answers(first, "Ada"))
    assert said(result)["confirm"]["content"] == {"name": "Ada"}


async def test_a_question_about_a_task_that_nobody_waits_for(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize(capabilities=CAPABILITIES)
    arguments = {"filename": "x", "early": True}
    params = {"name": "old__confirm_delete", "arguments": arguments, "task": {}}
    ident = (await demo.legacy("tools/call", params))[1]["result"]["task"]["taskId"]
    async with asyncio.timeout(60):
        while (await demo.legacy("tasks/get", {"taskId": ident}))[1]["result"]["status"] != "completed":
            pass
    _, body = await demo.legacy("tasks/result", {"taskId": ident})
    assert said(body["result"])["confirm"]["code"] == -32601


async def test_a_question_on_the_stream_of_the_session(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize(capabilities=CAPABILITIES)
    headers = {"accept": "text/event-stream", "mcp-session-id": demo.session}
    async with demo.http.get(demo.url, headers=headers) as stream:
        params = {"name": "old__confirm_delete", "arguments": {"filename": "x", "early": True}, "task": {}}
        ident = (await demo.legacy("tools/call", params))[1]["result"]["task"]["taskId"]
        async with asyncio.timeout(60):
            while b"elicitation/create" not in (line := await stream.content.readline()):
                pass
        question = json.loads(line[6:])
        assert question["params"]["_meta"]["io.modelcontextprotocol/related-task"] == {"taskId": ident}
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
        await demo.post(answer, mcp_session_id=demo.session)
        _, body = await demo.legacy("tasks/result", {"taskId": ident}, accept="application/json")
    assert said(body["result"])["confirm"]["action"] == "decline"


async def test_a_server_that_does_less(start: Any) -> None:
    demo = await start({"old": [*SERVER, "--without", "cancel", "list", "news"]})
    assert (await demo.initialize())["capabilities"]["tasks"] == {"requests": {"tools": {"call": {}}}}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await call(demo, "old__never")
    await demo.until(lambda: demo.fleet.connections["old"].calls == 0)
    assert said(await call(demo, "old__ledger"))["1"][0] == "working"  # nobody can cancel it
    result = await call(demo, "old__stages", arguments={"count": 1})
    assert result["content"][0]["text"] == "staged"
    params = {"name": "old__never", "arguments": {}, "task": {}}
    ident = (await demo.legacy("tools/call", params))[1]["result"]["task"]["taskId"]
    assert (await demo.legacy("tasks/cancel", {"taskId": ident}))[1]["error"]["code"] == -32601
    assert (await demo.legacy("tasks/list"))[1]["result"] == {"tasks": []}


@BOTH
async def test_whoever_sits_at_this_machine(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    result = await demo.gateway.call(f"{server}__never", b'{"seconds":0,"label":"x"}')
    assert json.loads(bytes(result))["content"][0]["text"] == "computed x"
    with pytest.raises(TaskFailed, match="nobody wants it"):
        await demo.gateway.call(f"{server}__abandoned", b"{}")
    with pytest.raises(Fault, match="closest"):
        await demo.gateway.call(f"{server}__nevr", b"{}")
    if server == "new":
        with pytest.raises(RpcError, match="the machine broke") as raised:
            await demo.gateway.call("new__protocol_error_job", b"{}")
        assert raised.value.rpc_code == -32603
    demo.fleet.processes[server].kill()
    demo.fleet.down[server] = "gone"
    with pytest.raises(ServerDown):
        await demo.gateway.call(f"{server}__greet", b"{}")
