from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.model.definition import Definition, ItemKind, Offer

SCHEMA = {"type": "object", "properties": {"z": {}, "a": {}}}


def tool(name: str, **members: Any) -> Definition:
    raw = json.dumps({"name": name, "inputSchema": SCHEMA, **members}).encode()
    return Definition(kind=ItemKind.TOOL, name=name, raw=raw)


def offer(*items: Definition, instructions: str = "") -> Offer:
    return Offer(items=items, instructions=instructions)


def listed(catalogue: Catalogue, *, modern: bool = True) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = json.loads(catalogue.listings["tools/list"].page("", modern=modern))["tools"]
    return tools


def test_everything_but_the_name_passes_byte_for_byte() -> None:
    raw = (
        b'{ "zeta" :1e2,"name":"t","\\u00e9":[1.50, null],"inputSchema":{"type":"object","x":"\\/"},"_meta":{"ui":{}}}'
    )
    catalogue = Catalogue({"s": offer(Definition(kind=ItemKind.TOOL, name="t", raw=raw))})
    page = catalogue.listings["tools/list"].page("", modern=True)
    for part in (b'"zeta":1e2', b"[1.50, null]", b'{"type":"object","x":"\\/"}', b'{"ui":{}}', b'"name":"s__t"'):
        assert part in page


def test_order_does_not_depend_on_order() -> None:
    one, two = offer(tool("b"), tool("a")), offer(tool("c"))
    first = Catalogue({"x": one, "y": two})
    second = Catalogue({"y": two, "x": offer(tool("a"), tool("b"))})
    assert first.listings["tools/list"].first == second.listings["tools/list"].first
    assert first.changed_since(second) == ()
    assert [entry["name"] for entry in listed(first)] == ["x__a", "x__b", "y__c"]


def test_pages() -> None:
    catalogue = Catalogue({"s": offer(*(tool(f"t{n:04}") for n in range(1083)))}, page_items=100)
    seen: list[str] = []
    cursor, pages = "", 0
    while True:
        page = json.loads(catalogue.listings["tools/list"].page(cursor, modern=True))
        seen += [entry["name"] for entry in page["tools"]]
        pages += 1
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
        if pages == 3:  # the fleet changes between two pages: nothing is lost or doubled
            catalogue = Catalogue(
                {"s": offer(*(tool(f"t{n:04}") for n in range(1083) if n != 250)), "a": offer(tool("x"))},
                page_items=100,
            )
    assert len(seen) == len(set(seen)) == 1083
    assert pages == 11
    assert (
        json.loads(
            Catalogue({"s": offer(*(tool(str(n)) for n in range(1083)))}).listings["tools/list"].first[True]
        ).get("nextCursor")
        is None
    )


@pytest.mark.parametrize("cursor", ["rubbish", "!!!", "é", "cHJvbXB0czp4", "dG9vbHM", "dG9vbHM6/w=="])
def test_cursors_of_others(cursor: str) -> None:
    with pytest.raises(Fault) as raised:
        Catalogue({"s": offer(tool("a"))}).listings["tools/list"].page(cursor, modern=True)
    assert raised.value.rpc_code == -32602


def test_one_bad_tool_does_not_cost_the_list() -> None:
    catalogue = Catalogue(
        {
            "s": offer(
                tool("empty", inputSchema={}),
                tool("null", inputSchema=None),
                tool("union", inputSchema={"type": ["object", "null"]}),
                tool("array", inputSchema={"type": "array"}),
                tool("boolean", inputSchema=True),
                tool("task", execution={"taskSupport": "required"}),
                tool("either", execution={"taskSupport": "optional"}),
                Definition(kind=ItemKind.TOOL, name="rubbish", raw=b"[]"),
                tool("output", outputSchema={"type": "array"}),
            )
        }
    )
    modern, legacy = listed(catalogue), listed(catalogue, modern=False)
    names = ["s__either", "s__empty", "s__output", "s__task", "s__union"]
    assert [entry["name"] for entry in modern] == [entry["name"] for entry in legacy] == names
    assert all(entry["inputSchema"]["type"] == "object" for entry in modern)
    assert modern[2]["outputSchema"] == {"type": "array"}
    assert "outputSchema" not in legacy[2]
    assert {item.item for item in catalogue.omitted} == {"null", "array", "boolean", "rubbish"}
    assert "s__array" not in catalogue.table.tools


def test_what_changed() -> None:
    base = Catalogue({"s": offer(tool("a"))})
    assert Catalogue({"s": offer(tool("a"))}).changed_since(base) == ()
    assert Catalogue({"s": offer(tool("a", description="x"))}).changed_since(base) == ("tools",)
    resource = Definition(kind=ItemKind.RESOURCE, name="u://1", raw=b'{"uri":"u://1"}')
    assert Catalogue({"s": offer(tool("a"), resource)}).changed_since(base) == ("resources",)
    assert Catalogue({}).changed_since(base) == ("tools",)


def test_shelves_are_made_once_for_each_offer() -> None:
    one = offer(tool("a"))
    before = Catalogue({"one": one})
    after = Catalogue({"one": one, "two": offer(tool("b"))}, before=before)
    assert after.shelves["one"] is before.shelves["one"]


def test_instructions_are_bounded() -> None:
    offers = {f"s{n}": offer(instructions="x" * 5000) for n in range(20)}
    text = Catalogue(offers).instructions
    assert "## s0\nxxx" in text
    assert len(text) < 20_000


def test_a_server_with_the_same_uri_twice_changes_only_those() -> None:
    def res(uri: str) -> Definition:
        raw = json.dumps({"uri": uri, "name": "n", "x": 1.50}).encode()
        return Definition(kind=ItemKind.RESOURCE, name=uri, raw=raw)

    catalogue = Catalogue({"a": offer(res("u://1"), res("u://2")), "b": offer(res("u://2"))})
    page = json.loads(catalogue.listings["resources/list"].page("", modern=False))
    assert [item["uri"] for item in page["resources"]] == ["u://1", "vsm-mcp://a/u://2", "vsm-mcp://b/u://2"]
