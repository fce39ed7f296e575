"""HTTP headers, compared with what the official SDK writes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.errors import HttpRefused
from vsm_mcp.wire import header
from vsm_mcp.wire.mirror import Mirror
from vsm_mcp.wire.transport import Head

inbound = pytest.importorskip("mcp.shared.inbound")


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["=?base64?YQ==?=", " a", "a ", "é", "a\nb", ""])
)
def test_values_are_the_sdks(value: str) -> None:
    assert header.encode(value) == inbound.encode_header_value(value)
    assert inbound.decode_header_value(header.encode(value)) == value


def read(lines: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)


def test_of_a_message() -> None:
    head = Head(
        kind="request", method="tools/call", name="grüß", version="2026-07-28", modern=True, arguments={"A": "é"}
    )
    assert read(header.of_message(head)) == {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "=?base64?Z3LDvMOf?=",
        "Mcp-Param-A": "=?base64?w6k=?=",
    }
    assert header.of_message(Head(kind="request", method="initialize")) == b""
    assert read(header.of_message(Head(kind="request", method="x", name="y", version="2025-11-25"))) == {
        "MCP-Protocol-Version": "2025-11-25"
    }
    kept = header._routing.cache_info().currsize
    long = Head(kind="request", method="resources/read", name="x" * 5000, modern=True)
    assert read(header.of_message(long))["Mcp-Name"] == "x" * 5000
    assert header._routing.cache_info().currsize == kept


def test_statuses() -> None:
    errors = {
        status: header.refusal(status, "7", "http://h") for status in (400, 401, 403, 404, 407, 408, 429, 500, 503)
    }
    assert {status for status, error in errors.items() if error.retryable} == {408, 429, 500, 503}
    assert isinstance(errors[401], HttpRefused)
    assert "authorization" in errors[401].message
    assert "7 s" in errors[429].hint


LEAF = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "boolean", "number", "object", ["string"]])},
    optional={"x-mcp-header": st.sampled_from(["A", "a", "B", "", "x y", 7, None])},
)
SCHEMA = st.recursive(
    LEAF,
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(st.sampled_from("pqr"), inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": st.dictionaries(st.sampled_from("de"), inner, max_size=2),
            "default": inner,
        },
    ),
    max_leaves=8,
)
VALUE = st.recursive(
    st.text(max_size=3) | st.integers() | st.booleans() | st.none(),
    lambda inner: st.dictionaries(st.sampled_from("pqr"), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(SCHEMA, st.dictionaries(st.sampled_from("pqr"), VALUE))
def test_mirrored_arguments_are_the_sdks(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    mirror = Mirror()
    kept = mirror.learn([Raw(msgspec.json.encode({"name": "t", "inputSchema": schema}))])
    assert bool(kept) == (inbound.find_invalid_x_mcp_header(schema) is None)
    if kept:
        wanted = inbound.mcp_param_headers(inbound.x_mcp_header_map(schema), arguments)
        for given_as in (arguments, Raw(msgspec.json.encode(arguments))):
            head = Head(kind="request", arguments=mirror.headers("t", given_as), modern=True)
            found = read(header.of_message(head))
            assert {name: value for name, value in found.items() if name.startswith("Mcp-Param")} == wanted
