"""What a server says about its tasks reaches the call that a task came of, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.wire.hearing import Hearing

from vsm_mcp.wire.call import Call

RELATED = "io.modelcontextprotocol/related-task"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class Ear(Hearing):
    """Notes what it hears, and answers every question with its own name."""

    def __init__(self, client: str) -> None:
        super().__init__(self._note, client=client, answers={"elicitation/create": json.dumps({"by": client}).encode()})
        self.heard: list[tuple[str, Any]] = []

    def _note(self, method: str, params: Any) -> None:
        self.heard.append((method, json.loads(bytes(params))))


def write(peer: Any, **message: Any) -> None:
    peer.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


async def answered(peer: Any, call: Call, dialogue: Ear, task: str) -> None:
    """Have a call answered, which from then on is about a task."""
    ident = (await peer.line())["id"]
    write(peer, id=ident, result={})
    assert await call.answer() is not None
    call.about(task, dialogue)


async def test_questions_go_to_whoever_the_task_is_for(peer: Any) -> None:
    connection = await peer.open()
    one, two, three = Ear("one"), Ear("two"), Ear("three")
    calls = [connection.begin("tools/call", timeout=5, dialogue=ear) for ear in (one, two)]
    await answered(peer, calls[0], one, "t1")
    await answered(peer, calls[1], two, "t2")
    other = connection.begin("tools/call", timeout=5, dialogue=three)
    await peer.line()
    for task, who in (("t2", "two"), ("t1", "one")):
        params = {"_meta": {RELATED: {"taskId": task}}}
        write(peer, id=task, method="elicitation/create", params=params)
        assert (await peer.line())["result"] == {"by": who}
        write(peer, method="notifications/message", params={**params, "data": task})
        write(peer, method="notifications/tasks/status", params={"taskId": task, "status": "working"})
    write(peer, id="plain", method="elicitation/create", params={})  # about no task: of the one call in flight
    assert (await peer.line())["result"] == {"by": "three"}
    write(peer, id="lost", method="elicitation/create", params={"_meta": {RELATED: {"taskId": "t3"}}})
    assert (await peer.line())["error"]["code"] == -32601  # nobody is asked what somebody else's task wants to know
    assert [method for method, _ in one.heard] == ["notifications/message", "notifications/tasks/status"]
    assert [params.get("data", params.get("taskId")) for _, params in two.heard] == ["t2", "t2"]
    assert three.heard == []
    assert connection.calls == 3
    for call in (*calls, other):
        call.give_up()
    assert connection.calls == 0


async def test_progress_of_a_call_that_is_answered(peer: Any, until: Any) -> None:
    connection = await peer.open()
    ear = Ear("one")
    call = connection.begin("tools/call", timeout=5, dialogue=ear)
    await answered(peer, call, ear, "t1")
    write(peer, method="notifications/progress", params={"progressToken": 1, "progress": 1})
    await until(lambda: ear.heard)
    call.give_up()
    write(peer, method="notifications/progress", params={"progressToken": 1, "progress": 2})
    write(peer, method="notifications/tasks/status", params={"taskId": "t1", "status": "working"})
    await connection.notify("done")  # nothing is heard of what was given up
    assert (await peer.line())["method"] == "done"
    assert len(ear.heard) == 1


async def test_the_latest_call_about_a_task_hears(peer: Any, until: Any) -> None:
    connection = await peer.open()
    ears = [Ear("first"), Ear("second")]
    calls = []
    for ear in ears:
        calls.append(connection.begin("tasks/result", timeout=5, dialogue=ear))
        await peer.line()
        calls[-1].about("t1", ear)
    status = {"taskId": "t1", "status": "working"}
    write(peer, method="notifications/tasks/status", params=status)
    await until(lambda: ears[1].heard)
    calls[1].give_up()
    assert (await peer.line())["method"] == "notifications/cancelled"
    write(peer, method="notifications/tasks/status", params=status)
    await until(lambda: ears[0].heard)
    assert [len(ear.heard) for ear in ears] == [1, 1]
    peer.hang_up()
    await connection.closed
    assert connection.calls == 0
    calls[0].about("t2", ears[0])  # of a connection that is no more
    assert connection.calls == 0


async def test_news_of_a_modern_server_go_by_their_subscription(peer: Any, until: Any) -> None:
    connection = await peer.open("modern")
    ears = [Ear("one"), Ear("two")]
    calls = [connection.begin("subscriptions/listen", timeout=float("inf"), dialogue=ear) for ear in ears]
    idents = [(await peer.line())["id"] for _ in calls]
    for ident in (idents[1], 99, None, idents[0]):
        params = {"taskId": "t1", "status": "working", "_meta": {SUBSCRIPTION: ident}}
        write(peer, method="notifications/tasks", params=params)
    await until(lambda: ears[0].heard)
    assert [len(ear.heard) for ear in ears] == [1, 1]


@pytest.mark.parametrize(
    "params", [b"[]", b"7", b'{"_meta":7}', b'{"taskId":7}', b'{"_meta":{"%b":{}}}' % RELATED.encode()]
)
async def test_junk_about_tasks(peer: Any, params: bytes) -> None:
    connection = await peer.open()
    ear = Ear("one")
    call = connection.begin("m", timeout=5, dialogue=ear)
    await peer.line()
    for method in (b"notifications/tasks/status", b"notifications/tasks"):
        peer.write(b'{"jsonrpc":"2.0","method":"%b","params":%b}\n' % (method, params))
    peer.write(b'{"jsonrpc":"2.0","id":1,"result":{}}\n')
    assert await call.answer() is not None
    assert ear.heard == []
