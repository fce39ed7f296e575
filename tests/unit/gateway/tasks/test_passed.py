"""Clients that know tasks as their server does: they hold the tasks, and nobody else can."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from vsm_mcp.testing import tasked

SERVERS = {
    name: ["--", sys.executable, tasked.__file__, "--mode", mode]
    for name, mode in (("old", "legacy"), ("old2", "legacy"), ("new", "modern"))
}
RELATED = "io.modelcontextprotocol/related-task"
EXTENSIONS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
META = {"io.modelcontextprotocol/clientCapabilities": EXTENSIONS}
EVENTS = {"accept": "application/json, text/event-stream"}


async def make(demo: Any, tool: str, **arguments: Any) -> Any:
    """Have a handshake server make a task; return it."""
    params = {"name": tool, "arguments": arguments, "task": {"ttl": 60_000}}
    _, body = await demo.legacy("tools/call", params)
    return body["result"]["task"]


async def of_task(demo: Any, method: str, ident: str, **params: Any) -> Any:
    """Ask about a task as a handshake client; return the result or the error."""
    _, body = await demo.legacy(method, {"taskId": ident, **params})
    return body.get("result", body.get("error"))


async def call(demo: Any, tool: str, **arguments: Any) -> Any:
    """Call a tool of a modern server as a client that knows the extension."""
    _, body = await demo.modern("tools/call", {"name": tool, "arguments": arguments, "_meta": META})
    return body["result"]


async def of_new(demo: Any, method: str, ident: str, **params: Any) -> Any:
    """Ask about a task as a modern client; return the result or the error."""
    _, body = await demo.modern(method, {"taskId": ident, "_meta": META, **params})
    return body.get("result", body.get("error"))


async def ended(demo: Any, ask: Any, ident: str) -> Any:
    """Look at a task until it has ended."""
    async with asyncio.timeout(60):
        while (state := await ask(demo, "tasks/get", ident))["status"] not in tasked.ENDED:
            pass
    return state


async def event(stream: Any) -> Any:
    """Return the next message of an event stream."""
    async with asyncio.timeout(60):
        while True:
            lines = (await stream.content.readuntil(b"\r\n\r\n")).decode().splitlines()
            data = [line[6:] for line in lines if line.startswith("data: ")]
            if data:
                return json.loads(data[0])


# --- handshake -------------------------------------------------------------------------------------------------------


async def test_what_is_declared(start: Any) -> None:
    demo = await start(SERVERS)
    tasks: dict[str, Any] = {"requests": {"tools": {"call": {}}}, "list": {}, "cancel": {}}
    assert (await demo.initialize())["capabilities"]["tasks"] == tasks
    listed = (await demo.legacy("tools/list"))[1]["result"]["tools"]
    execution = {tool["name"]: tool.get("execution") for tool in listed}
    assert execution["old__never"] == execution["old__slow_compute"] == {"taskSupport": "optional"}
    assert execution["old__greet"] is execution["new__never"] is None
    discovered = (await demo.modern("server/discover"))[1]["result"]["capabilities"]
    assert discovered["extensions"] == {"io.modelcontextprotocol/tasks": {}}
    assert "tasks" not in discovered
    listed = (await demo.modern("tools/list"))[1]["result"]["tools"]
    assert {tool["name"] for tool in listed if tool.get("execution")} == {"old__slow_compute", "old2__slow_compute"}


async def test_nothing_is_declared_where_no_server_has_it(start: Any) -> None:
    without = {name: [*argv, "--without", "tasks"] for name, argv in SERVERS.items()}
    demo = await start(without)
    assert "tasks" not in (await demo.initialize())["capabilities"]
    assert not any("execution" in tool for tool in (await demo.legacy("tools/list"))[1]["result"]["tools"])
    assert "extensions" not in (await demo.modern("server/discover"))[1]["result"]["capabilities"]
    assert (await of_task(demo, "tasks/get", "x"))["code"] == -32601
    assert (await of_new(demo, "tasks/get", "x"))["code"] == -32601
    params = {"name": "old__slow_compute", "arguments": {"label": "x"}, "task": {}}
    result = (await demo.legacy("tools/call", params))[1]["result"]  # the wish for a task is not passed on
    assert result["content"][0]["text"] == "computed x"
    result = (await demo.legacy("tools/call", {"name": "old__failing_job", "arguments": {}}))[1]["result"]
    assert result["isError"]  # required, but its server takes no tasks: called as it is


async def test_a_task_of_a_handshake_client(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    task = await make(demo, "old__slow_compute", label="x")
    assert (task["status"], task["ttl"], task["pollInterval"]) == ("working", 60_000, 100)
    assert task["taskId"] != "1"
    assert (await ended(demo, of_task, task["taskId"]))["taskId"] == task["taskId"]
    result = await of_task(demo, "tasks/result", task["taskId"])
    assert result["content"][0]["text"] == "computed x"
    assert result["_meta"] == {RELATED: {"taskId": task["taskId"]}}
    refused = await of_task(demo, "tasks/cancel", task["taskId"])
    assert (refused["code"], "already in terminal status" in refused["message"]) == (-32602, True)
    other = await make(demo, "old__never")
    cancelled = await of_task(demo, "tasks/cancel", other["taskId"])
    assert (cancelled["taskId"], cancelled["status"]) == (other["taskId"], "cancelled")
    await demo.until(lambda: demo.fleet.connections["old"].calls == 0)


async def test_a_result_that_is_waited_for_and_questions_on_its_way(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize(capabilities={"elicitation": {"form": {}}})
    task = await make(demo, "old__confirm_delete", filename="x")
    message = {"jsonrpc": "2.0", "id": 5, "method": "tasks/result", "params": {"taskId": task["taskId"]}}
    headers = {**EVENTS, "mcp-session-id": demo.session}
    async with demo.http.post(demo.url, json=message, headers=headers) as stream:
        question = await event(stream)
        while question["method"] == "notifications/tasks/status":
            assert question["params"]["taskId"] == task["taskId"]
            question = await event(stream)
        assert question["method"] == "elicitation/create"
        assert question["params"]["_meta"] == {RELATED: {"taskId": task["taskId"]}}
        answer = {"action": "accept", "content": {}, "_meta": question["params"]["_meta"]}
        await demo.post({"jsonrpc": "2.0", "id": question["id"], "result": answer}, mcp_session_id=demo.session)
        said = await event(stream)
        while "method" in said:
            said = await event(stream)
    assert said["id"] == 5
    assert json.loads(said["result"]["content"][0]["text"])["confirm"]["action"] == "accept"
    assert demo.fleet.connections["old"].closed.done() is False  # it ends when an answer names another task


async def test_news_of_a_task(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    headers = {"accept": "text/event-stream", "mcp-session-id": demo.session}
    async with demo.http.get(demo.url, headers=headers) as stream:
        params = {"name": "old__stages", "arguments": {"count": 1}, "task": {}, "_meta": {"progressToken": "mine"}}
        _, body = await demo.legacy("tools/call", params)
        ident = body["result"]["task"]["taskId"]
        await ended(demo, of_task, ident)
        said = [await event(stream) for _ in range(3)]
    assert [each["method"] for each in said] == [
        "notifications/tasks/status",
        "notifications/progress",
        "notifications/tasks/status",
    ]
    assert said[1]["params"]["progressToken"] == "mine"
    assert said[1]["params"]["_meta"] == {RELATED: {"taskId": ident}}
    assert [(each["params"]["taskId"], each["params"]["status"]) for each in (said[0], said[2])] == [
        (ident, "working"),
        (ident, "completed"),
    ]


async def test_a_list_of_all_servers_and_of_one_client(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    mine = [(await make(demo, f"{server}__slow_compute"))["taskId"] for server in ("old2", "old", "old", "old")]
    first, _ = demo.session, await demo.initialize()
    other = (await make(demo, "old__slow_compute"))["taskId"]

    async def listed() -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            _, body = await demo.legacy("tasks/list", cursor)
            found += [task["taskId"] for task in body["result"]["tasks"]]
            if "nextCursor" not in body["result"]:
                return found
            cursor = {"cursor": body["result"]["nextCursor"]}

    assert await listed() == [other]
    demo.session = first
    assert await listed() == [*mine[1:], mine[0]]
    demo.fleet.processes["old"].kill()  # what fails costs its own tasks only, and a new process has none
    await demo.until(demo.fleet.connections["old"].closed.done)
    assert await listed() == [mine[0]]
    for cursor in ("x", "é", "W10=", "WyJvbGQiLDFd"):
        _, body = await demo.legacy("tasks/list", {"cursor": cursor})
        assert body["error"]["code"] == -32602
    _, body = await demo.legacy("tasks/list", {"cursor": "WyJub2JvZHkiLCIiXQ=="})  # ["nobody",""]: before old
    assert [task["taskId"] for task in body["result"]["tasks"]] == [mine[0]]


async def test_ids_of_others(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    task = (await make(demo, "old__never"))["taskId"]
    first, _ = demo.session, await demo.initialize()
    for ident in ("é", ""):
        assert (await of_task(demo, "tasks/get", ident))["code"] == -32602
    for ident in (task, "1", task[:-1], "A" + task):
        for method in ("tasks/get", "tasks/result", "tasks/cancel"):
            assert (await of_task(demo, method, ident))["code"] == -32602, ident
        assert (await of_new(demo, "tasks/get", ident))["code"] == -32602, ident
    assert (await of_task(demo, "tasks/get", 7))["code"] == -32602  # type: ignore[arg-type]
    demo.session = first
    assert (await of_task(demo, "tasks/get", task))["status"] == "working"


async def test_an_id_that_a_server_gives_again(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    mine = (await make(demo, "old__never"))["taskId"]
    first, _ = demo.session, await demo.initialize()
    demo.fleet.processes["old"].kill()
    await demo.until(demo.fleet.connections["old"].closed.done)
    theirs = (await make(demo, "old__never"))["taskId"]  # "1" again, of a new process
    assert theirs != mine
    demo.session = first
    for method in ("tasks/get", "tasks/result", "tasks/cancel"):
        assert (await of_task(demo, method, mine))["code"] == -32602


async def test_what_a_session_held_is_let_go(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    await make(demo, "old__never")
    assert len(demo.gateway.tasks.ledger) == 1
    assert demo.fleet.connections["old"].calls == 1  # so that nobody stops a server that works
    async with demo.http.delete(demo.url, headers={"mcp-session-id": demo.session}) as answer:
        assert answer.status == 200
    assert len(demo.gateway.tasks.ledger) == 0
    assert demo.fleet.connections["old"].calls == 0


# --- the extension ---------------------------------------------------------------------------------------------------


async def test_a_task_of_a_modern_client(start: Any) -> None:
    demo = await start(SERVERS)
    assert (await call(demo, "new__greet"))["resultType"] == "complete"
    task = await call(demo, "new__slow_compute", label="x")
    assert (task["resultType"], task["status"]) == ("task", "working")
    assert task["taskId"] != "1"
    state = await ended(demo, of_new, task["taskId"])
    assert (state["taskId"], state["resultType"]) == (task["taskId"], "complete")
    assert state["result"]["content"][0]["text"] == "computed x"
    other = await call(demo, "new__never")
    assert await of_new(demo, "tasks/cancel", other["taskId"]) == {"resultType": "complete"}
    assert (await of_new(demo, "tasks/get", other["taskId"]))["status"] == "cancelled"
    assert demo.fleet.connections["new"].calls == 0


async def test_questions_of_a_task(start: Any) -> None:
    demo = await start(SERVERS)
    task = await call(demo, "new__multi_input")
    async with asyncio.timeout(60):
        while (state := await of_new(demo, "tasks/get", task["taskId"]))["status"] != "input_required":
            pass
    assert state["inputRequests"].keys() == {"name", "confirm"}
    for key in ("unknown", "name", "confirm"):
        given = {key: {"action": "accept", "content": {"said": key}}}
        assert await of_new(demo, "tasks/update", task["taskId"], inputResponses=given) == {"resultType": "complete"}
    state = await ended(demo, of_new, task["taskId"])
    assert json.loads(state["result"]["content"][0]["text"])["name"]["content"] == {"said": "name"}


async def test_refusals(start: Any) -> None:
    demo = await start(SERVERS)
    task = await call(demo, "new__never")
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        status, body = await demo.modern(method, {"taskId": task["taskId"]})
        assert (status, body["error"]["code"]) == (400, -32021)
        assert body["error"]["data"] == {"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
        status, body = await demo.modern(method, {"taskId": task["taskId"], "_meta": META}, mcp_name="another")
        assert (status, body["error"]["code"]) == (400, -32020)
    for method in ("tasks/result", "tasks/list", "tasks/more"):
        status, body = await demo.modern(method, {"taskId": task["taskId"], "_meta": META})
        assert (status, body["error"]["code"]) == (404, -32601)
    await demo.initialize()
    assert (await of_task(demo, "tasks/update", task["taskId"]))["code"] == -32601
    assert (await of_task(demo, "tasks/get", task["taskId"]))["code"] == -32602  # a client of the other era


async def test_news_for_whoever_listens(start: Any) -> None:
    demo = await start(SERVERS)
    task, other = await call(demo, "new__stages", count=2), await call(demo, "new__never")
    ids = [task["taskId"], "nobody", other["taskId"]]
    message = listen({"taskIds": ids, "toolsListChanged": True}, META)
    async with demo.http.post(demo.url, json=message, headers=LISTENING) as stream:
        first = await event(stream)
        assert first["params"]["notifications"] == {"toolsListChanged": True, "taskIds": [ids[0], ids[2]]}
        await demo.until(lambda: demo.fleet.connections["new"].in_flight == 1)
        await ended(demo, of_new, task["taskId"])
        said = [await event(stream)]
        while said[-1]["params"]["status"] != "completed":
            said.append(await event(stream))
        assert {each["method"] for each in said} == {"notifications/tasks"}
        assert {each["params"]["taskId"] for each in said} == {task["taskId"]}
        assert all(each["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 3} for each in said)
        assert said[-1]["params"]["result"]["content"][0]["text"] == "staged"
        await of_new(demo, "tasks/cancel", other["taskId"])
        assert (await event(stream))["params"]["status"] == "cancelled"
    connection = demo.fleet.connections["new"]
    await demo.until(lambda: connection.in_flight == 0)


async def test_nobody_listens_to_what_it_does_not_know(start: Any) -> None:
    demo = await start(SERVERS)
    for wanted, meta, code in (({"taskIds": ["x"]}, {}, -32021), ({"taskIds": "x"}, META, -32602)):
        async with demo.http.post(demo.url, json=listen(wanted, meta), headers=LISTENING) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, code)


LISTENING = {**EVENTS, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}


def listen(wanted: Any, meta: dict[str, Any]) -> dict[str, Any]:
    own = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        **meta,
    }
    params = {"notifications": wanted, "_meta": own}
    return {"jsonrpc": "2.0", "id": 3, "method": "subscriptions/listen", "params": params}


@pytest.mark.parametrize("server", ["old", "new"])
async def test_a_server_that_dies_has_no_tasks(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    await demo.initialize()
    make_, ask = (make, of_task) if server == "old" else (call, of_new)
    task = await make_(demo, f"{server}__dies")
    await ask(demo, "tasks/get", task["taskId"])
    await demo.until(demo.fleet.connections[server].closed.done)
    assert (await ask(demo, "tasks/get", task["taskId"]))["code"] == -32602
