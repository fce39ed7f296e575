"""Whatever a server says, before its answer and in it, the client gets one answer and nothing that is no message."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.fuzz.bench import EXAMPLES, Bench, Client, Fronts, Reply
from tests.fuzz.texts import ANY, BROKEN, IDS, STRINGS, mangled, members, message, mostly, object_of, quoted, verbatim

METHODS = quoted(
    "notifications/progress", "notifications/message", "notifications/tools/list_changed", "notifications/cancelled",
    "notifications/resources/updated", "sampling/createMessage", "elicitation/create", "roots/list", "ping", "nonsense",
)  # fmt: skip
SAID = {
    "progressToken": mostly(IDS, ANY),
    "progress": ANY,
    "level": mostly(quoted("info", "error"), ANY),
    "data": ANY,
    "requestId": IDS,
    "uri": mostly(quoted("note://one"), ANY),
    "mode": mostly(quoted("url", "form"), ANY),
    "url": STRINGS,
    "message": STRINGS,
}
PARAMS = mostly(st.fixed_dictionaries({}, optional=SAID).map(object_of), ANY)
VERSION = mostly(quoted("2.0"), ANY)
SPOKEN = st.one_of(
    message(jsonrpc=VERSION, id=IDS, method=mostly(METHODS, ANY), params=PARAMS),
    message(jsonrpc=VERSION, method=METHODS, params=PARAMS, x=ANY),
    message(jsonrpc=VERSION, id=IDS, result=ANY),
)
BEFORE = st.lists(mostly(mangled(SPOKEN), st.binary(max_size=40)), max_size=4).map(b"\n".join)
BATCH = st.lists(SPOKEN, max_size=3).map(lambda parts: f"[{','.join(parts)}]".encode("utf-8", "surrogatepass"))
ASKS = members(
    quoted("k1", "k2"),
    mostly(st.just('{"method":"elicitation/create","params":{"mode":"form","message":"?"}}'), ANY),
    2,
)
RESULT = st.fixed_dictionaries(
    {},
    optional={
        "content": mostly(st.just('[{"type":"text","text":"x"}]'), ANY),
        "isError": mostly(st.just("true"), ANY),
        "resultType": mostly(quoted("complete", "input_required"), ANY),
        "inputRequests": ASKS,
        "requestState": mostly(STRINGS, ANY),
        "structuredContent": ANY,
        "_meta": ANY,
        "x": ANY,
    },
).map(object_of)
ERROR = st.fixed_dictionaries(
    {"code": mostly(st.sampled_from(["-32000", "-32042", "-32021", "-32700", "7.5"]), ANY)},
    optional={"message": mostly(STRINGS, ANY), "data": mostly(st.just('{"elicitations":[{"url":"x:"}]}'), ANY)},
).map(object_of)
ANSWER = mostly(
    mostly(
        mostly(RESULT, ANY).map(lambda text: f'"result":{text}'),
        mostly(ERROR, ANY).map(lambda text: f'"error":{text}'),
        70,
    ),
    st.builds(
        lambda text, more: f'"result":{text}{more}',
        mostly(RESULT, BROKEN, 50),
        mostly(st.just(',"error":null'), BROKEN),
    ),
)
TASK = st.fixed_dictionaries(
    {
        "taskId": mostly(quoted("t1"), ANY),
        "status": mostly(quoted("working", "input_required", "completed", "failed", "cancelled"), ANY),
        "pollInterval": mostly(st.sampled_from(["0", "1"]), ANY, 98),
    },
    optional={
        "statusMessage": mostly(STRINGS, ANY),
        "ttl": mostly(st.sampled_from(["1000", "null"]), ANY),
        "result": mostly(RESULT, ANY),
        "error": mostly(ERROR, ANY),
        "resultType": mostly(quoted("complete", "task"), ANY),
    },
).map(object_of)
CREATED = st.builds(
    lambda task, wrapped: f'"result":{{"task":{task}}}' if wrapped else f'"result":{{"resultType":"task",{task[1:]}',
    mostly(TASK, ANY),
    st.booleans(),
)
LATER = st.lists(mostly(mostly(TASK, RESULT, 80).map(lambda text: f'"result":{text}'), ANSWER), max_size=3)
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {
        "elicitation": {"form": {}, "url": {}},
        "sampling": {},
        "extensions": {"io.modelcontextprotocol/tasks": {}},
    },
    "io.modelcontextprotocol/logLevel": "debug",
    "progressToken": "token",
}
HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
MODERN = b"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: %b\r\n"


def request(method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": "mine", "method": method, "params": params}).encode()


async def session_of(client: Client) -> bytes:
    """Open a session whose client can be asked, but for what a modern server asks here: nobody would answer that."""
    capabilities: dict[str, Any] = {"sampling": {}, "roots": {}}
    body = request("initialize", {"protocolVersion": "2025-11-25", "capabilities": capabilities})
    return (await client.ask(HEAD % (len(body), b""), body)).header(b"mcp-session-id")


def heard(reply: Reply) -> list[dict[str, Any]]:
    """Return the messages of an answer."""
    if reply.header(b"content-type") != b"text/event-stream":
        return [verbatim(reply.body)]
    events = [event for event in reply.body.split(b"\r\n\r\n") if event and not event.startswith(b":")]
    assert all(event.startswith(b"event: message\r\ndata: ") for event in events)
    return [verbatim(event.partition(b"data: ")[2]) for event in events]


async def asked(served: Fronts, tool: str, given: dict[str, Any], *, modern: bool, way: int, **more: Any) -> Any:
    """Call a parrot's tool; return the answer."""
    client = served.clients[way]
    params = {"name": tool, "arguments": given, "_meta": META if modern else {"progressToken": 1}, **more}
    body = request("tools/call", params)
    fields = MODERN % tool.encode() if modern else b"Mcp-Session-Id: %b\r\n" % await session_of(client)
    *others, last = heard(await client.ask(HEAD % (len(body), fields), body))
    assert all(each["jsonrpc"] == "2.0" and isinstance(each["method"], str) for each in others)
    assert last["id"] == "mine"
    assert ("result" in last) != ("error" in last)
    return last


def before_of(said: bytes) -> str:
    return base64.b64encode(said + b"\n" if said else b"").decode()


@settings(max_examples=EXAMPLES or 250, deadline=None)
@given(mostly(BEFORE, BATCH, 80), ANSWER, st.sampled_from(["legacy", "modern"]), st.booleans(), st.sampled_from([0, 1]))
def test_a_call_is_answered_whatever_its_server_says(
    bench: Bench, served: Fronts, before: bytes, answer: str, server: str, modern: bool, way: int
) -> None:
    given = {"before": before_of(before), "answer": answer}
    bench.run(asked(served, f"{server}__say", given, modern=modern, way=way))
    assert not served.fleet.connections[server].closed.done()


@example(
    created='"result":{"resultType":"task","taskId":"t1","status":"working","pollInterval":0}',
    later=['"result":{"taskId":"t1","status":"failed"}'],
    tool="modern__say",
    modern=False,
    passed=False,
)
@settings(max_examples=EXAMPLES or 100, deadline=None)
@given(CREATED, LATER, st.sampled_from(["legacy__toil", "modern__say"]), st.booleans(), st.booleans())
def test_a_task_comes_to_an_end_whatever_its_server_says(
    bench: Bench, served: Fronts, created: str, later: list[str], tool: str, modern: bool, passed: bool
) -> None:
    given = {"before": "", "answer": created, "later": later}
    more = {"task": {"ttl": 1000}} if passed and not modern else {}
    bench.run(asked(served, tool, given, modern=modern, way=0, **more))
    assert not served.fleet.connections[tool.partition("__")[0]].closed.done()
