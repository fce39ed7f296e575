from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.errors import HttpRefused, PolicyDenied, ProtocolError, RpcError, ServerDown, Throttled
from vsm_mcp.gateway import faults, messages, results
from vsm_mcp.gateway.changes import ChangeBus, News
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.param_headers import Rule, disagreement, rules_of
from vsm_mcp.gateway.sessions import Sessions
from vsm_mcp.gateway.view import View

VIEW = View(8, 100)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["content", "isError", "_meta", "resultType", "ttlMs", "x", "structuredContent"]), JSON, max_size=5
)


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail_in_another_way(body: bytes) -> None:
    try:
        messages.request_of(messages.read(body))
    except Fault as error:
        assert error.rpc_code in {-32700, -32600, -32602}
        assert json.loads(messages.fault(messages.NO_ID, error))["error"]["code"] == error.rpc_code


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"]), JSON))
def test_no_json_makes_reading_fail_in_another_way(body: dict[str, Any]) -> None:
    try:
        message = messages.read(json.dumps({"jsonrpc": "2.0", **body}).encode())
        assert message.method is None or isinstance(message.method, str)
        messages.request_of(message)
    except Fault as error:
        assert error.rpc_code in {-32600, -32602}


@given(
    st.fixed_dictionaries(
        {"jsonrpc": st.sampled_from(["2.0", "1.0"]), "method": st.text(max_size=8) | JSON, "id": JSON},
        optional={
            "params": st.dictionaries(st.sampled_from(["name", "_meta", "x"]), JSON) | JSON,
            "result": JSON,
            "x": JSON,
        },
    ),
    st.booleans(),
)
def test_reading_in_one_pass_says_the_same_or_nothing(body: dict[str, Any], escaped: bool) -> None:
    written = json.dumps(body, ensure_ascii=escaped).encode()
    request = messages.plain(written)
    if request is not None:
        slowly = messages.request_of(messages.read(written))
        for member in ("id", "method", "params", "meta"):
            assert getattr(request, member) == getattr(slowly, member)


def test_what_is_plainly_a_request_is_read_in_one_pass() -> None:
    body = {"jsonrpc": "2.0", "id": "é", "method": "m", "params": {"name": "n", "_meta": {"a": 1}}}
    request = messages.plain(json.dumps(body, ensure_ascii=False).encode())
    assert request is not None
    assert (request.method, request.params) == ("m", {"name": Raw(b'"n"')})
    assert request.meta == {"a": Raw(b"1")}
    for other in (
        b'{"jsonrpc":"2.0","method":"m","params":{}}',
        b'{"jsonrpc":"2.0","id":null,"method":"m","params":{}}',
    ):
        assert messages.plain(other) is None
    assert messages.plain(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"\xe9"}}') is None


@given(OBJECTS)
def test_bridging_upwards_adds_and_changes_nothing(result: dict[str, Any]) -> None:
    raw = Raw(json.dumps(result).encode())
    bridged = json.loads(bytes(results.bridged(raw, "tools/call", to_modern=True, from_modern=False)))
    assert {key: bridged[key] for key in result} == result
    assert {"resultType", "_meta"} <= set(bridged)


def test_bridging_downwards() -> None:
    raw = Raw(b'{"resultType":"complete","content":[ 1.50 ],"structuredContent":[1],"ttlMs":0,"cacheScope":"private"}')
    assert bytes(results.bridged(raw, "x", to_modern=False, from_modern=True)) == b'{"content":[ 1.50 ]}'
    same = Raw(b'{"content":[],"structuredContent":{}}')
    assert results.bridged(same, "x", to_modern=False, from_modern=True) is same
    assert results.bridged(raw, "tools/call", to_modern=True, from_modern=True) is raw
    with pytest.raises(ProtocolError, match="input"):
        results.bridged(Raw(b'{"resultType":"input_required"}'), "x", to_modern=False, from_modern=True)
    with pytest.raises(ProtocolError, match="no object"):
        results.bridged(Raw(b"[]"), "x", to_modern=True, from_modern=False)


def test_errors_of_servers_and_of_the_hop() -> None:
    passed = faults.passed_on(RpcError(-32000, "m", b'{"a":1}'), "s", "tools/call", modern=True)
    assert (passed.rpc_code, passed.message, passed.data) == (-32000, "m", b'{"a":1}')
    assert faults.passed_on(RpcError(-32002, "m"), "s", "resources/read", modern=True).rpc_code == -32602
    assert faults.passed_on(RpcError(-32602, "m"), "s", "resources/read", modern=False).rpc_code == -32002
    assert faults.passed_on(RpcError(-32602, "m"), "s", "tools/call", modern=False).rpc_code == -32602
    for code, modern in ((-32020, True), (-32022, True), (-32020, False), (-32021, False), (-32022, False)):
        hop = faults.passed_on(RpcError(code, "m"), "srv", "tools/call", modern=modern)
        assert hop.rpc_code == -32603
        assert "srv" in hop.message
    lacking = faults.passed_on(RpcError(-32021, "m", b'{"requiredCapabilities":{}}'), "srv", "tools/call", modern=True)
    assert (lacking.rpc_code, lacking.data) == (-32021, b'{"requiredCapabilities":{}}')


@pytest.mark.parametrize(
    ("code", "method", "kind"),
    [
        (-32602, "tools/call", "schema"),
        (-32601, "tools/call", "protocol"),
        (-32600, "prompts/get", "protocol"),
        (-32000, "tools/call", "tool"),
        (-32603, "resources/read", "server"),
        (-32020, "tools/call", "tool"),
    ],
)
def test_errors_without_data_say_whose_they_are_and_what_to_do(code: int, method: str, kind: str) -> None:
    data = json.loads(faults.passed_on(RpcError(code, "m"), "srv", method, modern=True).data or b"")
    assert (data["server"], data["class"], data["retryable"]) == ("srv", kind, False)
    assert data["hint"]


def test_failures_say_what_a_model_can_act_on() -> None:
    down = faults.failure_of(ServerDown("it crashed", "give it a key"), "srv")
    assert (down.server, down.kind, down.retryable, down.hint) == ("srv", "transport", True, "give it a key")
    denied = faults.failure_of(PolicyDenied("rule 3"), "srv")
    assert (denied.kind, denied.retryable) == ("policy", False)
    refused = faults.failure_of(HttpRefused(401, "no token"), "srv")
    assert (refused.kind, refused.retryable) == ("auth", False)
    throttled = faults.failure_of(Throttled("not now", "it asks to wait 7 s"), "srv")
    assert (throttled.kind, throttled.retryable, throttled.hint) == ("quota", True, "it asks to wait 7 s")
    result = json.loads(faults.tool_failure(denied, modern=True))
    assert result["isError"] is True
    assert result["_meta"]["vsm-mcp/failure"]["class"] == "policy"
    assert "will not help" in result["content"][0]["text"]


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        "flag": {"type": "boolean", "x-mcp-header": "Flag"},
    },
}


def test_header_rules() -> None:
    rules = rules_of(json.dumps(SCHEMA).encode())
    assert set(rules) == {
        Rule(("region",), "mcp-param-region", "string"),
        Rule(("deep", "n"), "mcp-param-n", "integer"),
        Rule(("flag",), "mcp-param-flag", "boolean"),
    }
    arguments = json.dumps({"region": "é", "deep": {"n": 42}, "flag": True}).encode()
    good = {"mcp-param-region": ["=?base64?w6k=?="], "mcp-param-n": ["42.0"], "mcp-param-flag": ["true"]}
    assert disagreement(rules, arguments, good) == ""
    for header, values in (
        ("mcp-param-region", ["e"]),
        ("mcp-param-region", ["=?base64?w6k?="]),
        ("mcp-param-n", ["43"]),
        ("mcp-param-n", ["42", "42"]),
        ("mcp-param-flag", ["1"]),
        ("mcp-param-flag", []),
    ):
        assert header in disagreement(rules, arguments, {**good, header: values})
    assert "mcp-param-region" in disagreement(rules, b"{}", {"mcp-param-region": ["x"]})
    assert disagreement(rules, b'{"region":null}', {}) == ""


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "number", "x-mcp-header": "A"}},
        {"a": {"type": "string", "x-mcp-header": "A B"}},
        {"a": {"type": "string", "x-mcp-header": 1}},
        {"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}},
        {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}},
        {"a": {"default": {"x-mcp-header": "A"}}},
    ],
)
def test_annotations_that_are_not_allowed_make_no_rules(properties: dict[str, Any]) -> None:
    assert rules_of(json.dumps({"type": "object", "properties": properties}).encode()) == ()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, vsm_mcp.gateway.server, vsm_mcp.gateway.stdio; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30, text=True).stdout
    assert not {"mcp", "pydantic", "uvicorn", "aiohttp", "rapidfuzz", "starlette"} & set(loaded.split())


def test_sessions_are_cheap_bounded_and_end() -> None:
    sessions = Sessions(10_000, 60)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10_000):
        assert sessions.open("2025-11-25", VIEW, number / 1000) is not None
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / 10_000 < 1024
    first = sessions.open("2025-11-25", VIEW, 10.0)
    assert first is not None
    assert len(sessions) == 10_000
    assert sys.getsizeof(first) < 200
    assert sessions.find(first.ident, 69.0) is first
    assert sessions.find(first.ident, 130.0) is None
    assert sessions.open("2025-11-25", VIEW, 1000.0) is not None
    assert len(sessions) == 1


def test_busy_sessions_stay() -> None:
    sessions = Sessions(1, 60)
    one = sessions.open("2025-11-25", VIEW, 0.0)
    assert one is not None
    one.busy = 1
    assert sessions.open("2025-11-25", VIEW, 1000.0) is None
    assert sessions.find(one.ident, 2000.0) is one
    one.busy = 0
    assert sessions.open("2025-11-25", VIEW, 2000.0) is not None
    assert sessions.find(one.ident, 2000.0) is None
    assert not sessions.close(one.ident)


async def test_news_is_a_level_and_ends() -> None:
    bus = ChangeBus(2)
    listener = bus.listen(frozenset({"tools", "prompts"}))
    assert await listener.news(0.001) == ()
    for _ in range(1000):
        bus.publish(("tools", "resources"))
    bus.publish(("prompts",))
    assert await listener.news(1) == (News("tools"), News("prompts"))
    bus.publish(("tools",))
    bus.close()
    assert await listener.news(1) == (News("tools"),)
    async with asyncio.timeout(1):
        assert await listener.news(1) is None
    bus.leave(listener)
    bus.leave(listener)
    assert len(bus) == 0
