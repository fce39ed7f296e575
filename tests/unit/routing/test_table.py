from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing.table import Route, build, mapped_uri
from vsm_mcp.routing.templates import literal_length, matches


def offer(**items: tuple[str, ...]) -> Offer:
    kinds = {"tools": ItemKind.TOOL, "resources": ItemKind.RESOURCE, "templates": ItemKind.TEMPLATE}
    kinds["prompts"] = ItemKind.PROMPT
    return Offer(items=tuple(Definition(kind=kinds[k], name=n, raw=b"{}") for k, names in items.items() for n in names))


def test_names_stay_when_others_come_and_go() -> None:
    one, two = offer(tools=("echo", "add"), prompts=("greet",)), offer(tools=("echo",), prompts=("greet",))
    alone, both = build({"one": one}), build({"two": two, "one": one})
    assert alone.tools.items() <= both.tools.items()
    assert alone.prompts.items() <= both.prompts.items()
    assert both.tools["two__echo"] == Route("two", "echo")


def test_denied_tools() -> None:
    table = build({"a": offer(tools=("read", "write")), "b": offer(tools=("write",))}, denied=("*__write",))
    assert list(table.tools) == ["a__read"]
    assert table.denied == {"a__write", "b__write"}


def test_of_the_same_name_within_a_server_the_first_counts() -> None:
    table = build({"a": offer(tools=("x", "x"), resources=("u://1", "u://1"))})
    assert list(table.tools) == ["a__x"]
    assert list(table.resources) == ["u://1"]


def test_uris_are_kept_where_they_are_unique_and_mapped_back_where_not() -> None:
    table = build({"a": offer(resources=("u://1", "u://2")), "b": offer(resources=("u://2",))})
    assert table.resource("u://1") == Route("a", "u://1")
    for server in ("a", "b"):
        assert table.resource(mapped_uri(server, "u://2")) == Route(server, "u://2")
    assert set(table.resources) == {"u://1", "vsm-mcp://a/u://2", "vsm-mcp://b/u://2"}


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=20))
def test_mapping_is_reversible(uri: str, server: str) -> None:
    table = build({server: offer(resources=("x",))})
    assert table.resource(mapped_uri(server, uri)) == Route(server, uri)


def test_templates() -> None:
    table = build(
        {
            "a": offer(templates=("db://{table}",)),
            "b": offer(templates=("db://{table}/schema", "note://{id}")),
            "c": offer(templates=("note://{id}",)),
        }
    )
    assert table.resource("db://users") == Route("a", "db://users")
    assert table.resource("db://users/schema") == Route("b", "db://users/schema")
    # a template that two servers share is mapped, and so is what comes from it
    assert table.resource("vsm-mcp://c/note://7") == Route("c", "note://7")


def test_resources_that_are_not_listed() -> None:
    two = build({"a": offer(resources=("file:///x",)), "b": offer(resources=("db://h/x", "file://host/y"))})
    assert two.resource("db://h/other") == Route("b", "db://h/other")
    assert two.resource("file://host/z") == Route("b", "file://host/z")
    assert two.resource("gopher://x") is None
    assert build({"a": offer(resources=("u://1",))}).resource("v://2") == Route("a", "v://2")
    assert build({"a": offer(tools=("t",))}).resource("v://2") is None


@pytest.mark.parametrize(
    ("template", "uri", "fits"),
    [
        ("file:///{path}", "file:///a", True),
        ("file:///{path}", "file:///a/b", False),
        ("file:///{+path}", "file:///a/b?c#d", True),
        ("db://{t}/schema", "db://x/schema", True),
        ("db://{t}/schema", "db://x/schema/y", False),
        ("q://s{?a,b}", "q://s?a=1&b=2", True),
        ("q://s{?a,b}", "q://s", True),
        ("q://s{?a,b}", "q://sx", False),
        ("x://{a}-{b}", "x://1-2-3", True),
        ("x://{a}{b}", "x://anything/at/all", True),
        ("x://h{/seg*}", "x://h/1/2", True),
        ("x://h{.ext}", "x://h.txt", True),
        ("x://h{#frag}", "x://h#top", True),
        ("no-expression", "no-expression", True),
        ("no-expression", "no-expressions", False),
        ("a.c{x}", "abc1", False),
    ],
)
def test_matching(template: str, uri: str, fits: bool) -> None:
    assert matches(template, uri) is fits


def test_a_hostile_template_costs_no_time() -> None:
    began = time.perf_counter()
    assert not matches("{+a}a" * 16 + "!", "a" * 8000)
    assert not matches("{a}" * 5000, "a")
    assert not matches("{a}", "a" * 1_000_000)
    assert time.perf_counter() - began < 1
    assert literal_length("ab{c}d") == 3
