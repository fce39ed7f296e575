from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing.table import Choice, Route, build, mapped_uri
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
    table = build({"a": offer(tools=("read", "write")), "b": offer(tools=("write",))}, Choice(denied=("*__write",)))
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


URIS = st.sampled_from(
    ["u://1", "u://2", "vsm-mcp://a/u://1", "vsm-mcp://b/u://1", "vsm-mcp://a/vsm-mcp://b/u://1", ""]
)
TEMPLATES = st.sampled_from(["t://{x}", "t://{+x}", "{+x}", "vsm-mcp://a/t://{x}", "vsm-mcp://{s}/{+u}", "t://{x}{?q}"])
OFFERS = st.dictionaries(
    st.sampled_from(["a", "b", "vsm-mcp", "C d"]), st.tuples(st.sets(URIS), st.sets(TEMPLATES)), min_size=1
)


@given(OFFERS)
def test_whatever_is_listed_leads_back_to_its_own_server(servers: dict[str, tuple[set[str], set[str]]]) -> None:
    """Also where servers are gateways like this one, whose URIs look like mapped ones."""
    table = build(
        {name: offer(resources=tuple(sorted(r)), templates=tuple(sorted(t))) for name, (r, t) in servers.items()}
    )
    resources = {(server, uri) for server, (uris, _) in servers.items() for uri in uris}
    templates = {(server, uri) for server, (_, uris) in servers.items() for uri in uris}
    assert {(route.server, route.name) for route in table.resources.values()} == resources
    assert {(route.server, route.name) for route in table.templates.values()} == templates
    for uri, route in table.resources.items():
        assert table.resource(uri) == route
        alone = sum(route.name in uris for uris, _ in servers.values()) == 1
        assert (uri == route.name) is (alone and not route.name.startswith("vsm-mcp://"))


@given(OFFERS, st.from_regex(r"[a-z0-9%._~-]{1,12}", fullmatch=True))
def test_what_comes_from_a_mapped_template_leads_to_its_server(
    servers: dict[str, tuple[set[str], set[str]]], value: str
) -> None:
    """A client expands the template that it was given: what it gets is the mapped form of what the server expects."""
    table = build(
        {name: offer(resources=tuple(sorted(r)), templates=tuple(sorted(t))) for name, (r, t) in servers.items()}
    )
    for shown, route in table.templates.items():
        if shown != route.name:
            assert table.resource(expanded(shown, value)) == Route(route.server, expanded(route.name, value))
    for server in servers:
        uri = f"note://{value}"
        assert table.resource(mapped_uri(server, uri)) == Route(server, uri)


def expanded(template: str, value: str) -> str:
    return re.sub(r"\{[^}]*\}", value, template)


def test_in_a_smaller_view_more_uris_are_kept() -> None:
    a, b = offer(resources=("u://1",), templates=("t://{x}",)), offer(resources=("u://1",), templates=("t://{x}",))
    both, one = build({"a": a, "b": b}), build({"a": a})
    assert set(both.resources) == {"vsm-mcp://a/u://1", "vsm-mcp://b/u://1"}
    assert set(one.resources) == {"u://1"}
    assert one.resource("t://7") == Route("a", "t://7")
    # what a client remembers from a larger view still leads there, and to no server that the view lacks
    assert one.resource("vsm-mcp://a/u://1") == Route("a", "u://1")
    assert one.resource("vsm-mcp://b/u://1") != Route("b", "u://1")


def test_what_is_shown_and_what_is_denied() -> None:
    offers = {"a": offer(tools=("read", "write", "drop")), "b": offer(tools=("read",))}
    choice = Choice(denied=("*__write",), shown=("a__*",), hidden=("*drop",))
    table = build(offers, choice)
    assert list(table.tools) == ["a__read"]
    assert table.denied == {"a__write"}
    assert build(offers, Choice(denied=("*",), shown=("b__*",))).denied == {"b__read"}


def test_a_pattern_holds_under_either_name() -> None:
    def plain(_server: str, item: str) -> str:
        return item

    offers = {"a": offer(tools=("read", "write"))}
    for pattern in ("write", "a__write", "a__w*"):
        assert list(build(offers, Choice(denied=(pattern,)), plain).tools) == ["read"]
        assert list(build(offers, Choice(hidden=(pattern,)), plain).tools) == ["read"]
        assert list(build(offers, Choice(shown=(pattern,)), plain).tools) == ["write"]


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
