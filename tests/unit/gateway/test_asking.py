"""What can go wrong while a server asks: forged states, missing answers, clients and servers that leave."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

import pytest
from msgspec import Raw

from vsm_mcp.gateway import parking
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.leases import Leases
from vsm_mcp.gateway.messages import Request, decode_object
from vsm_mcp.gateway.seal import Seal, State, digest
from vsm_mcp.testing import curious

CAPABILITIES: Any = {"elicitation": {"form": {}, "url": {}}}
META = {"io.modelcontextprotocol/clientCapabilities": CAPABILITIES}
SERVERS = {
    name: ["--", sys.executable, curious.__file__, "--mode", mode]
    for name, mode in (("old", "legacy"), ("new", "modern"))
}
ANSWER = {"action": "accept", "content": {"name": "Ada"}}
BOTH = pytest.mark.parametrize("server", ["old", "new"])


async def ask(demo: Any, tool: str, arguments: Any = None, **members: Any) -> tuple[int, Any]:
    params = {"name": tool, "arguments": arguments or {}, "_meta": META, **members}
    status, body = await demo.modern("tools/call", params)
    return status, body.get("result", body.get("error"))


def answers(result: Any, answer: Any = ANSWER) -> dict[str, Any]:
    return {"inputResponses": dict.fromkeys(result["inputRequests"], answer), "requestState": result["requestState"]}


@BOTH
async def test_two_rounds(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    _, first = await ask(demo, f"{server}__ask", {"count": 2})
    assert first["resultType"] == "input_required"
    assert [request["method"] for request in first["inputRequests"].values()] == ["elicitation/create"]
    _, second = await ask(demo, f"{server}__ask", {"count": 2}, **answers(first))
    assert second["resultType"] == "input_required"
    _, last = await ask(demo, f"{server}__ask", {"count": 2}, **answers(second))
    assert last["resultType"] == "complete"
    assert json.loads(last["content"][0]["text"]) == [ANSWER, ANSWER]


@BOTH
async def test_a_state_is_good_for_its_own_request_only(start: Any, server: str) -> None:
    demo = await start(SERVERS)
    _, result = await ask(demo, f"{server}__ask", {"count": 1})
    given = answers(result)
    forged = given["requestState"][:-2] + ("AA" if not given["requestState"].endswith("AA") else "BB")
    for tool, arguments, state in (
        (f"{server}__ask", {"count": 1}, forged),
        (f"{server}__ask", {"count": 1}, "x"),
        (f"{server}__ask", {"count": 1}, ""),
        (f"{server}__ask", {"count": 2}, given["requestState"]),
        (f"{server}__count", {"count": 1}, given["requestState"]),
    ):
        status, error = await ask(demo, tool, arguments, inputResponses=given["inputResponses"], requestState=state)
        assert (status, error["code"]) == (400, -32602), (tool, arguments, state)
    _, result = await ask(demo, f"{server}__ask", {"count": 1}, **given)  # and it is good still
    assert result["resultType"] == "complete"


async def test_a_call_goes_on_once(start: Any) -> None:
    demo = await start(SERVERS)
    _, result = await ask(demo, "old__ask")
    assert (await ask(demo, "old__ask", **answers(result)))[1]["resultType"] == "complete"
    status, error = await ask(demo, "old__ask", **answers(result))
    assert (status, error["code"]) == (400, -32602)
    assert "make the request again" in error["message"]


async def test_missing_answers_are_asked_for_again(start: Any) -> None:
    demo = await start(SERVERS)
    _, result = await ask(demo, "old__ask")
    _, again = await ask(demo, "old__ask", inputResponses={}, requestState=result["requestState"])
    assert again["inputRequests"] == result["inputRequests"]
    extra = answers(again)
    extra["inputResponses"]["unknown"] = ANSWER
    assert (await ask(demo, "old__ask", **extra))[1]["resultType"] == "complete"


async def test_a_server_that_dies_while_its_client_thinks(start: Any) -> None:
    demo = await start(SERVERS)
    _, result = await ask(demo, "old__ask")
    demo.fleet.processes["old"].kill()
    await demo.until(demo.fleet.connections["old"].closed.done)
    _, failed = await ask(demo, "old__ask", **answers(result))
    assert failed["isError"]
    assert failed["_meta"]["vsm-mcp/failure"]["class"] == "transport"
    assert (await ask(demo, "old__count"))[1]["resultType"] == "complete"


async def test_a_call_does_not_wait_for_ever(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "SECONDS", 0.05)
    demo = await start(SERVERS)
    await ask(demo, "old__ask")
    await demo.until(lambda: demo.fleet.connections["old"].in_flight == 0)


async def test_a_visit_that_is_a_condition(start: Any) -> None:
    demo = await start(SERVERS)
    arguments = {"url": "https://example.org/consent"}
    _, result = await ask(demo, "old__visit", arguments)
    (request,) = result["inputRequests"].values()
    assert request["method"] == "elicitation/create"
    assert request["params"]["url"] == arguments["url"]
    _, declined = await ask(demo, "old__visit", arguments, **answers(result, {"action": "decline"}))
    assert "declined" in declined["message"]
    _, done = await ask(demo, "old__visit", arguments, **answers(result, {"action": "accept"}))
    assert json.loads(done["content"][0]["text"]) == "visited"


async def test_nobody_is_asked_for_somebody_else(start: Any) -> None:
    demo = await start(SERVERS)
    async with asyncio.TaskGroup() as group:
        stuck = [group.create_task(ask(demo, "old__stuck")) for _ in range(2)]
        await demo.until(lambda: "old" in demo.fleet.asking)
        for task in stuck:
            task.cancel()


async def test_a_legacy_client_that_leaves_while_it_is_asked(start: Any) -> None:
    demo = await start(SERVERS)
    await demo.initialize(capabilities=CAPABILITIES)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "old__ask", "arguments": {}}}
    headers = {"mcp-session-id": demo.session, "accept": "application/json, text/event-stream"}
    async with demo.http.post(demo.url, json=call, headers=headers) as stream:
        assert b"elicitation/create" in await stream.content.readuntil(b"\r\n\r\n")
    await demo.until(lambda: demo.fleet.connections["old"].in_flight == 0)
    await demo.until(lambda: not len(demo.gateway.sessions.find(demo.session, 0.0).questions))


def test_seals() -> None:
    seal, other = Seal(), Seal()
    request = Request(b"1", "tools/call", decode_object(b'{"name":"t","arguments":{"a":1,"b":2}}'), None)
    spelled = Request(b"2", "tools/call", decode_object(b'{"arguments":{"b":2, "a":1},"name":"t"}'), None)
    assert digest(request) == digest(spelled)
    state = State(kind="inner", server="s", client="c", digest=digest(request), until=100.0, inner="x" * 1000)

    def opened(text: str, client: str = "c", server: str = "s", now: float = 99.0, by: Seal = seal) -> State | None:
        back = Request(b"3", "tools/call", {**spelled.params, "requestState": Raw(json.dumps(text).encode())}, None)
        return by.open(back, client, server, now)

    assert opened(seal.close(state)) == state
    assert seal.open(request, "c", "s", 0.0) is None
    for wrong in ({"client": "d"}, {"server": "t"}, {"now": 101.0}, {"by": other}):
        with pytest.raises(Fault):
            opened(seal.close(state), **wrong)


def test_leases() -> None:
    leases = Leases()
    first, second, other = leases.take("s", "a"), leases.take("s", "a"), leases.take("s", "b")
    assert [lease.session for lease in (first, second, other)] == ["a#0", "a#1", "b#0"]
    first.give_back()
    first.give_back()
    assert leases.take("s", "a").session == "a#0"
    assert leases.take("s", "a").session == "a#2"
    second.give_back()
    assert leases.take("t", "a").session == "a#0"


async def test_several_questions_side_by_side_are_one_round(start: Any) -> None:
    demo = await start(SERVERS)
    _, result = await ask(demo, "old__ask", {"count": 3, "together": True})
    assert len(result["inputRequests"]) == 3
    _, done = await ask(demo, "old__ask", {"count": 3, "together": True}, **answers(result))
    assert json.loads(done["content"][0]["text"]) == [ANSWER] * 3


async def test_what_a_client_lacks_is_told(start: Any) -> None:
    demo = await start(SERVERS)
    wanted = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}, "strict": True}
    status, error = await ask(demo, "old__ask", wanted)
    assert (status, error["code"], error["data"]) == (400, -32021, {"requiredCapabilities": {"sampling": {}}})
    assert re.fullmatch(
        r"server old needs a client that can do what it asks: sampling; it said: .*sampling.*", error["message"]
    )
    _, tolerant = await ask(demo, "old__ask", {**wanted, "strict": False})
    assert json.loads(tolerant["content"][0]["text"])[0]["code"] == -32601
