"""The gateway's own tools, asked through every front and in both eras, in front of servers of both eras."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import Raw
from tests.unit.gateway import test_bridges as bridges
from tests.unit.gateway.fronts import FRONTS, META, VERSION, opened

from vsm_mcp import config
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.gateway import Limits
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.needs import Acquired, Agreed, Consent, Tell
from vsm_mcp.model.profile import Profile

SEARCH = config.Gateway(mode="search")
SERVERS = {"old": ["--mode", "legacy", "--progress", "2"], "new": ["--mode", "modern", "--progress", "2"]}
FINDING = ["call_tool", "describe_tool", "find_tools"]


def schema_of(name: str) -> Any:
    entries = (*definitions.FINDING, *definitions.ACQUIRING)
    return json.loads(next(entry.modern for entry in entries if entry.key == name))["outputSchema"]


@pytest.fixture
async def fleet(start: Any) -> Any:
    return await start(SERVERS, SEARCH)


@pytest.mark.parametrize("front", FRONTS)
async def test_only_the_gateways_own_tools_are_listed(fleet: Any, front: str) -> None:
    async with opened(front, fleet) as client:
        listed = (await client.ask("tools/list"))["result"]["tools"]
        assert [tool["name"] for tool in listed] == FINDING
        assert all({"title", "description", "inputSchema", "annotations"} <= tool.keys() for tool in listed)
        assert [tool["annotations"]["readOnlyHint"] for tool in listed] == [False, True, True]
        assert "find_tools(query)" in client.hello["instructions"]
        assert "- old (8 tools)" in client.hello["instructions"]


async def test_every_client_sees_the_same_list(fleet: Any) -> None:
    seen = []
    for front in FRONTS:
        async with opened(front, fleet) as client:
            seen.append((await client.ask("tools/list"))["result"]["tools"])
    assert seen.count(seen[0]) == len(FRONTS)


@pytest.mark.parametrize("front", FRONTS)
async def test_find_describe_and_call(fleet: Any, front: str) -> None:
    async with opened(front, fleet) as client:
        found = await client.call("find_tools", {"query": "add two numbers", "limit": 3})
        jsonschema.validate(found["structuredContent"], schema_of("find_tools"))
        assert found["structuredContent"]["met"] is True
        assert found["structuredContent"]["searched"] == 16
        assert {tool["name"] for tool in found["structuredContent"]["tools"][:2]} == {"old__add", "new__add"}
        first = found["structuredContent"]["tools"][0]
        assert first["parameters"] == [
            {"name": name, "type": "number", "required": True, "description": ""} for name in ("a", "b")
        ]
        assert "- a (number, required)" in found["content"][0]["text"]

        described = await client.call("describe_tool", {"name": first["name"]})
        jsonschema.validate(described["structuredContent"], schema_of("describe_tool"))
        assert described["structuredContent"]["tool"]["inputSchema"]["required"] == ["a", "b"]

        for server in ("old", "new"):
            name, given = f"{server}__add", {"a": 2, "b": 3}
            assert await client.call("call_tool", {"name": name, "arguments": given}) == await client.call(name, given)
            assert (await client.call("call_tool", {"name": f"{server}__fail"}))["isError"] is True
        if client.modern:
            assert found["resultType"] == described["resultType"] == "complete"
        else:
            assert "resultType" not in found


@pytest.mark.parametrize("front", FRONTS)
async def test_a_need_that_nothing_meets_is_not_called_met(fleet: Any, front: str) -> None:
    async with opened(front, fleet) as client:
        found = await client.call("find_tools", {"query": "translate a poem into Portuguese"})
        assert found["structuredContent"]["met"] is False
        assert found.get("isError") is False
        only = await client.call("find_tools", {"query": "echo some text", "server": "old", "limit": 50})
        assert {tool["server"] for tool in only["structuredContent"]["tools"]} == {"old"}
        assert only["structuredContent"]["searched"] == 8


BAD = [
    ("find_tools", {}, "query"),
    ("find_tools", {"query": "  "}, "empty"),
    ("find_tools", {"query": 7}, "Expected `str`"),
    ("find_tools", {"query": "x" * 2001}, "length <= 2000"),
    ("find_tools", {"query": "x", "limit": 0}, ">= 1"),
    ("find_tools", {"query": "x", "server": "none"}, "there are new, old"),
    ("describe_tool", {"nom": "x"}, "name"),
    ("call_tool", {"arguments": {}}, "name"),
    ("call_tool", {"name": "old__echo", "arguments": '{"text":"x"}'}, "not a string"),
    ("call_tool", {"name": "old__echo", "arguments": [1]}, "not a string or a list"),
    ("call_tool", {"name": "call_tool", "arguments": {"name": "old__echo"}}, "itself"),
    ("call_tool", {"name": "find_tools", "arguments": {"query": "x"}}, "itself"),
    ("call_tool", {"name": "acquire_capability", "arguments": {"need": "x"}}, "itself"),
    ("call_tool", [], "object"),
]


@pytest.mark.parametrize("front", ["http modern", "stdio legacy"])
async def test_wrong_arguments_are_answered_so_that_a_model_can_mend_them(fleet: Any, front: str) -> None:
    async with opened(front, fleet) as client:
        for name, given, words in BAD:
            result = await client.call(name, given)
            assert result["isError"] is True, (name, given)
            assert words in result["content"][0]["text"], result


@pytest.mark.parametrize("front", FRONTS)
async def test_call_tool_fails_as_a_direct_call_does(start: Any, front: str) -> None:
    endpoint = await start({"old": []}, SEARCH, down={"gone": "it was never there"})
    endpoint.gateway.set_offers(
        {"old": (await endpoint.fleet.connections["old"].offer(20)), "gone": await _offer(endpoint)}, ["old__crash"]
    )
    async with opened(front, endpoint) as client:
        for name in ("old__ecko", "old__crash", "nobody", "prompt"):
            direct = await client.ask("tools/call", {"name": name, "arguments": {}})
            through = await client.ask("tools/call", {"name": "call_tool", "arguments": {"name": name}})
            assert direct["error"] == through["error"]
            described = await client.ask("tools/call", {"name": "describe_tool", "arguments": {"name": name}})
            assert described["error"] == direct["error"]
        direct, through = await client.call("gone__echo", {}), await client.call("call_tool", {"name": "gone__echo"})
        assert direct == through
        assert through["_meta"]["vsm-mcp/failure"]["server"] == "gone"


async def _offer(endpoint: Any) -> Any:
    return await endpoint.fleet.connections["old"].offer(20)


@pytest.mark.parametrize("front", FRONTS)
async def test_progress_of_a_call_through_call_tool(fleet: Any, front: str) -> None:
    async with opened(front, fleet) as client:
        result = await client.call("call_tool", {"name": "old__echo", "arguments": {"text": "x"}}, token="t-1")
        assert result["content"][0]["text"] == "echo:x"
        notes = [note for note in client.notes if note["method"] == "notifications/progress"]
        assert [note["params"]["progressToken"] for note in notes] == ["t-1", "t-1"]


async def test_cancelling_a_call_through_call_tool_cancels_it_at_the_server(fleet: Any) -> None:
    connection = fleet.fleet.connections["old"]
    async with opened("stdio legacy", fleet) as client:
        params = {"name": "call_tool", "arguments": {"name": "old__slow", "arguments": {"seconds": 60}}}
        asking = asyncio.ensure_future(client.ask("tools/call", params))
        await fleet.until(lambda: connection.in_flight == 1)
        asking.cancel()
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": client._ident}}
        client.send(note)  # type: ignore[attr-defined]
        await fleet.until(lambda: connection.in_flight == 0)
        assert (await client.call("old__echo", {"text": "still here"}))["content"][0]["text"] == "echo:still here"


@pytest.mark.parametrize("mode", bridges.MODES)
@pytest.mark.parametrize("server", ["old", "new"])
async def test_a_server_that_asks_in_the_middle_of_a_call_through_call_tool(start: Any, mode: str, server: str) -> None:
    endpoint, person = await start(bridges.SERVERS, SEARCH), bridges.Person()
    async with bridges.client(endpoint.url, mode, person) as asking:
        given = {"name": f"{server}__ask", "arguments": {"params": bridges.FORM, "count": 2}}
        answers = bridges.value(await asking.call_tool("call_tool", given))
        found = await asking.call_tool("find_tools", {"query": "ask the client"})
        assert found.structured_content["tools"]
    assert [answer["content"] for answer in answers] == [{"name": "Ada 1"}, {"name": "Ada 2"}]


async def test_our_own_tools_are_not_asked_of_a_server_without_waiting(fleet: Any) -> None:
    params = {"name": Raw(b'"call_tool"'), "arguments": Raw(b'{"name":"old__echo","arguments":{"text":"x"}}')}
    request, caller = Request(b"1", "tools/call", params, None), Caller(fleet.gateway.view, modern=False)
    assert fleet.gateway.begin(request, caller) is None
    assert b"echo:x" in (await fleet.gateway.answer(request, caller)).body  # as it was: nothing has changed it


async def test_definitions_arguments_and_results_pass_byte_for_byte(start: Any, tmp_path: Path) -> None:
    record = tmp_path / "received"
    endpoint = await start({"new": ["--mode", "modern", "--record", str(record)]}, SEARCH)
    raw = endpoint.gateway.catalogue.tools["new__add"].modern
    body = await _raw(endpoint, "describe_tool", b'{"name":"new__add"}')
    assert b'"structuredContent":{"server":"new","tool":' + raw in body
    given = b'{"a":1.50,"b": 2,"\\u00e9":[null ,1e2]}'
    direct = await _raw(endpoint, "new__add", given)
    assert b'"sum":3.5' in direct.replace(b" ", b"")
    assert await _raw(endpoint, "call_tool", b'{"name":"new__add","arguments":%b}' % given) == direct
    assert [given in line for line in record.read_bytes().splitlines() if b"tools/call" in line] == [True, True]


async def _raw(endpoint: Any, name: str, arguments: bytes) -> bytes:
    params = b'{"name":"%b","arguments":%b,"_meta":%b}' % (name.encode(), arguments, json.dumps(META).encode())
    message = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}' % params
    headers = {"content-type": "application/json", "mcp-protocol-version": VERSION}
    headers |= {"mcp-method": "tools/call", "mcp-name": name}
    async with endpoint.http.post(endpoint.url, data=message, headers=headers) as answer:
        body: bytes = await answer.read()
        return body


async def test_headers_that_a_definition_asks_for(start: Any, tmp_path: Path) -> None:
    """Who was not given a definition in a list cannot know its headers; those that are sent have to agree."""
    server = tmp_path / "server.py"
    server.write_text(HEADERS)
    endpoint = await start({"h": ["--", "python3", str(server)]})
    for mode, missing in (("all", -32020), ("search", None)):
        gateway = await endpoint.fleet.gather(config.Gateway(mode=mode))
        endpoint.gateway.view.catalogue = gateway.view.catalogue  # the endpoint's own, in another mode
        call = {"name": "h__where", "arguments": {"region": "eu"}}
        _, body = await endpoint.modern("tools/call", call)
        assert body.get("error", {}).get("code") == missing
        assert "result" in (await endpoint.modern("tools/call", call, mcp_param_region="eu"))[1]
        assert (await endpoint.modern("tools/call", call, mcp_param_region="us"))[1]["error"]["code"] == -32020
    through = {"name": "call_tool", "arguments": call}
    assert "result" in (await endpoint.modern("tools/call", through))[1]


HEADERS = """
import json, sys
SCHEMA = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = {"resources": [], "resourceTemplates": [], "prompts": [], "content": []}
    if message["method"] == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}}
        result["serverInfo"] = {"name": "h", "version": "1"}
    elif message["method"] == "server/discover":
        answer = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
        print(json.dumps(answer), flush=True)
        continue
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "where", "inputSchema": SCHEMA}]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


# --- acquiring --------------------------------------------------------------------------------------------------------


class Shop:
    """Needs looked after by a fleet that starts another scripted server when it is asked to."""

    acquires = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []
        self.endpoint: Any = None
        self.patience: list[float] = []
        self.absent: list[str] = []
        self.said: list[tuple[str, str]] = []

    def missed(self, tool: str) -> None:
        self.absent.append(tool)

    def declined(self, need: str, via: str) -> None:
        self.said.append((need, via))

    def noticed(self, need: str, *, met: bool) -> None:
        self.seen.append((need, met))

    async def acquire(self, need: str, tell: Tell, seconds: float, agreed: Agreed | None = None) -> Acquired | None:
        self.patience.append(seconds)
        if need == "leave" and agreed is None:
            return Acquired(
                outcome="rejected", ref="npm:x", message="no", consent=Consent(ref="npm:x", question="May I?")
            )
        if agreed is not None:
            self.said.append((agreed.ref, agreed.via))
        if need == "long":
            return None
        if need == "guarded":
            return Acquired(outcome="rejected", ref="npm:x", message="no", person="run `vsm-mcp add npm:x --yes`")
        tell("trying cmd:faulty")
        fleet = self.endpoint.fleet
        fleet.servers["got"] = ["--mode", "modern"]
        tell("trial: fine")
        connection = await fleet.connection("got", 20)
        self.endpoint.gateway.set_offer("got", await connection.offer(20))
        return Acquired(outcome="served", server="got", ref="cmd:faulty", evidence="e1")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("mode", ["all", "search"])
@pytest.mark.parametrize("front", FRONTS)
async def test_an_agent_gets_what_it_lacks(start: Any, shop: Shop, front: str, mode: str) -> None:
    settings = config.Gateway(mode=mode)
    shop.endpoint = endpoint = await start({"old": []}, settings, Limits(acquire_seconds=7.0), needs=shop)
    async with opened(front, endpoint) as client:
        before = await client.tools()
        assert "acquire_capability" in before
        assert ("find_tools" in before) is (mode == "search")
        result = await client.call("acquire_capability", {"need": " add two \n numbers "}, token=5)
        content = result["structuredContent"]
        jsonschema.validate(content, schema_of("acquire_capability"))
        assert (content["outcome"], content["need"], content["server"]) == ("served", "add two numbers", "got")
        assert content["tools"][0] == "got__add"
        assert set(content["tools"]) == {name for name in endpoint.gateway.catalogue.tools if name.startswith("got__")}
        assert result["isError"] is False
        steps = [note["params"] for note in client.notes if note["method"] == "notifications/progress"]
        assert [(step["progressToken"], step["progress"]) for step in steps] == [(5, 1), (5, 2)]
        assert steps[0]["message"] == "trying cmd:faulty"
        assert shop.patience == [7.0]
        after = await client.tools()
        assert (after == before) is (mode == "search")  # the list stays as it is, the new tools are found in it
        assert (await client.call("got__echo", {"text": "x"}))["content"][0]["text"] == "echo:x"
        assert ("ask for it again" in result["content"][0]["text"]) is (mode == "all")


@pytest.mark.parametrize("front", FRONTS)
async def test_what_a_person_has_to_do_and_what_takes_longer(start: Any, shop: Shop, front: str) -> None:
    endpoint = await start({"old": []}, needs=shop)
    async with opened(front, endpoint) as client:
        result = await client.call("acquire_capability", {"need": "guarded"})
        jsonschema.validate(result["structuredContent"], schema_of("acquire_capability"))
        assert result["isError"] is True
        assert "run `vsm-mcp add npm:x --yes`" in result["content"][0]["text"]
        result = await client.call("acquire_capability", {"need": "long"})
        assert (result["isError"], result["structuredContent"]["outcome"]) == (False, "working")
        assert "again with the same need" in result["content"][0]["text"]
        assert (await client.call("acquire_capability", {"need": " "}))["isError"] is True


async def test_a_profile_that_does_not_show_what_was_acquired(start: Any, shop: Shop) -> None:
    profile = Profile(servers=("old",), acquire=True)
    shop.endpoint = endpoint = await start({"old": []}, profiles={"narrow": profile}, needs=shop)
    async with opened("http modern", endpoint, "narrow") as client:
        result = await client.call("acquire_capability", {"need": "add two numbers"})
        assert result["structuredContent"]["tools"] == []
        assert "the profile narrow shows none of its tools" in result["content"][0]["text"]


async def test_needs_are_noted(start: Any, shop: Shop) -> None:
    endpoint = await start({"old": []}, SEARCH, needs=shop)
    async with opened("http modern", endpoint) as client:
        await client.call("find_tools", {"query": "add two numbers"})
        await client.call("find_tools", {"query": "translate a poem into Portuguese"})
        await client.call("find_tools", {"query": "translate a poem into Portuguese", "server": "old"})
    assert shop.seen == [("add two numbers", True), ("translate a poem into Portuguese", False)]


async def test_it_is_offered_only_with_leave(start: Any, shop: Shop) -> None:
    endpoint = await start({"old": []}, config.Gateway(acquire=False, mode="search"), needs=shop)
    assert "acquire_capability" not in endpoint.gateway.catalogue.own
    shop.acquires = False
    endpoint = await start({"old": []}, needs=shop)
    assert endpoint.gateway.catalogue.own == frozenset()
    async with opened("http legacy", endpoint) as client:
        answer = await client.ask("tools/call", {"name": "acquire_capability", "arguments": {"need": "x"}})
        assert answer["error"]["code"] == -32602
        answer = await client.ask("tools/call", {"name": "find_tools", "arguments": {"query": "x"}})
        assert answer["error"]["code"] == -32602
