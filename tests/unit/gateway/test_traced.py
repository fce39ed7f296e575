"""The trace context of a caller reaches the server: over every front, in both eras, as it came where nobody traces."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway import mirror
from tests.unit.gateway.fronts import FRONTS, META, opened

from vsm_mcp.app.observing import Observing
from vsm_mcp.app.tracing import Tracer
from vsm_mcp.model.trace_context import read
from vsm_mcp.web.spans import Span

MIRROR = Path(__file__).with_name("mirror.py")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CONTEXT = {
    "traceparent": PARENT,
    "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    "baggage": "userId=alice,serverNode=DF%2028",
    "com.example/own": {"deep": [1, 2.50, None]},
}
SERVERS = {
    "old": ["--", sys.executable, str(MIRROR), "legacy"],
    "new": ["--", sys.executable, str(MIRROR), "modern"],
}


def seen(result: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """What the server says that it was sent: the line, and header fields."""
    shown = json.loads(result["content"][0]["text"])
    return shown["line"], shown["fields"]


async def call(client: Any, server: str, meta: dict[str, Any]) -> tuple[str, dict[str, str]]:
    whole = {**(META if client.modern else {}), **meta}
    params = {"name": f"{server}__show", "arguments": {}, "_meta": whole}
    client._ident += 1
    message = {"jsonrpc": "2.0", "id": client._ident, "method": "tools/call", "params": params}
    return seen((await client.exchange(message))["result"])


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("front", FRONTS)
async def test_meta_passes_byte_for_byte(start: Any, front: str, server: str) -> None:
    endpoint = await start(SERVERS)
    async with opened(front, endpoint) as client:
        line, _ = await call(client, server, CONTEXT)
    for member, value in CONTEXT.items():
        assert f"{json.dumps(member)}:{json.dumps(value)}" in line


@pytest.mark.parametrize("modern", [False, True])
async def test_over_http_the_header_says_it_too(start: Any, modern: bool) -> None:
    async with mirror.serve(modern=modern) as url:
        endpoint = await start({"far": url})
        async with opened("stdio modern", endpoint) as client:
            line, fields = await call(client, "far", CONTEXT)
            assert fields["traceparent"] == PARENT
            assert fields["tracestate"] == CONTEXT["tracestate"]
            assert "baggage" not in fields
            assert json.loads(line)["params"]["_meta"].items() >= CONTEXT.items()
            _, without = await call(client, "far", {})
            assert "traceparent" not in without
            _, forged = await call(client, "far", {"traceparent": f"{PARENT}\r\nx-evil: 1"})
            assert "x-evil" not in forged
            assert "traceparent" not in forged


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("modern", [False, True])
async def test_the_header_of_an_http_client_becomes_the_servers(start: Any, server: str, modern: bool) -> None:
    endpoint = await start(SERVERS)
    fields = {"traceparent": PARENT, "tracestate": "a=1", "baggage": "secret=1"}
    name = {"name": f"{server}__show"}
    if modern:
        _, body = await endpoint.modern("tools/call", name, mcp_name=name["name"], **fields)
    else:
        await endpoint.initialize()
        _, body = await endpoint.legacy("tools/call", name, **fields)
    meta = json.loads(seen(body["result"])[0])["params"]["_meta"]
    assert (meta["traceparent"], meta["tracestate"]) == (PARENT, "a=1")
    assert "baggage" not in meta
    if modern:
        other = PARENT.replace(SPAN, "1111111111111111")
        _, body = await endpoint.modern("tools/call", {**name, "_meta": {"traceparent": other}}, **fields)
        assert json.loads(seen(body["result"])[0])["params"]["_meta"]["traceparent"] == other
        _, body = await endpoint.modern("tools/call", name, traceparent="no trace")
        assert "traceparent" not in json.loads(seen(body["result"])[0])["params"].get("_meta", {})


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("front", FRONTS)
async def test_a_span_goes_between_the_caller_and_the_server(start: Any, front: str, server: str) -> None:
    endpoint = await start(SERVERS)
    spans: list[Span] = []
    endpoint.gateway.observe(Observing(Tracer(spans.append, 1.0), None))
    async with opened(front, endpoint) as client:
        line, _ = await call(client, server, CONTEXT)
        (span,) = spans
        handed = read(json.loads(line)["params"]["_meta"]["traceparent"])
        assert handed is not None
        assert (handed.trace, handed.span, handed.sampled) == (TRACE, span.context.span, True)
        assert span.parent == read(PARENT)
        assert json.loads(line)["params"]["_meta"].items() >= {**CONTEXT, "traceparent": _written(span)}.items()
        assert (span.name, span.failed) == ("tools/call show", False)
        assert 0 <= span.ended - span.began < 60e9
        assert span.attributes["gen_ai.tool.name"] == "show"
        assert span.attributes["gen_ai.operation.name"] == "execute_tool"
        assert span.attributes["mcp.method.name"] == "tools/call"
        assert span.attributes["vsm_mcp.server"] == server
        assert span.attributes["jsonrpc.request.id"] == str(client._ident)
        assert ("mcp.session.id" in span.attributes) is front.endswith("legacy")
        line, _ = await call(client, server, {})
        root = spans[1]
        assert root.parent is None
        assert json.loads(line)["params"]["_meta"]["traceparent"] == _written(root)
        not_sampled = PARENT[:-2] + "00"
        line, _ = await call(client, server, {"traceparent": not_sampled})
        assert json.loads(line)["params"]["_meta"]["traceparent"] == not_sampled
        assert len(spans) == 2


async def test_only_a_part_is_traced_where_the_caller_has_not_decided(start: Any) -> None:
    endpoint = await start(SERVERS)
    spans: list[Span] = []
    tracer = Tracer(spans.append, 0.0)
    endpoint.gateway.observe(Observing(tracer, None))
    async with opened("http modern", endpoint) as client:
        line, _ = await call(client, "old", {})
        assert "_meta" not in json.loads(line)["params"]
        assert spans == []
        await call(client, "old", {"traceparent": PARENT})
        assert len(spans) == 1
        tracer.sample(0.5)
        for _ in range(200):
            await call(client, "old", {})
    assert 40 < len(spans) - 1 < 160


async def test_how_a_call_ended_is_in_its_span_and_no_text_of_it(start: Any) -> None:
    servers = {**SERVERS, "bad": ["--mode", "legacy"], "gone": ["--mode", "legacy"]}
    endpoint = await start(servers, down={"gone": "it is off"})
    spans: list[Span] = []
    endpoint.gateway.observe(Observing(Tracer(spans.append, 1.0), None))
    offers = dict(endpoint.gateway._offers)
    endpoint.gateway.set_offers({**offers, "gone": offers["bad"]})
    async with opened("http modern", endpoint) as client:
        await client.call("bad__fail", {})
        await client.ask("tools/call", {"name": "old__show", "arguments": {"refuse": True}})
        await client.call("bad__crash", {})
        await client.call("gone__echo", {"text": "hush"})
    ends = [(span.attributes["vsm_mcp.ending"], span.failed) for span in spans]
    assert ends == [("tool_error", True), ("refused", True), ("transport", True), ("transport", True)]
    assert spans[0].attributes["error.type"] == "tool_error"
    assert re.fullmatch(r"-32\d\d\d", spans[1].attributes["rpc.response.status_code"])
    assert spans[1].attributes["error.type"] == spans[1].attributes["rpc.response.status_code"]
    assert "hush" not in repr(spans)


def _written(span: Span) -> str:
    return f"00-{span.context.trace}-{span.context.span}-01"
