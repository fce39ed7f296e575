"""What servers offer, in the words of the taxonomy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp.app.capabilities import reader
from vsm_mcp.discovery.wiring import taxonomy
from vsm_mcp.errors import ConfigError
from vsm_mcp.model.capability import CapabilityParameter, Known, System
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing import actions
from vsm_mcp.routing import capabilities as made
from vsm_mcp.routing.effects import Seen


def offer(*items: tuple[ItemKind, dict[str, Any]]) -> Offer:
    named = {ItemKind.RESOURCE: "uri", ItemKind.TEMPLATE: "uriTemplate"}
    return Offer(
        items=tuple(
            Definition(kind=kind, name=body[named.get(kind, "name")], raw=json.dumps(body).encode())
            for kind, body in items
        )
    )


def tool(name: str, description: str = "", **more: Any) -> tuple[ItemKind, dict[str, Any]]:
    return ItemKind.TOOL, {"name": name, "description": description, "inputSchema": {"type": "object"}, **more}


def of(found: Offer, *tags: str, seen: Seen = Seen()) -> list[Any]:  # noqa: B008 - frozen
    return list(reader().classifier.capabilities("s", found, made.Known(tags=tags, seen=seen)))


def test_an_items_own_words_and_what_its_server_is_known_for() -> None:
    both, alone = offer(tool("convert_time", "Convert time between timezones")), offer(tool("do_it", "Does it."))
    surest = of(both, "time.timezones")[0]
    assert surest.tag == "time.timezones"
    assert surest.confidence > max(of(both)[0].confidence, of(alone, "time.timezones")[0].confidence)
    assert all(one.tag in taxonomy().tags for one in of(both, "time.timezones"))


def test_the_more_a_server_is_known_for_the_less_that_says_of_an_item() -> None:
    found = offer(tool("do_it", "Does it."))
    assert of(found, "time.clock")[0].confidence > of(found, "time.clock", "math.arithmetic")[0].confidence
    assert of(found, *list(taxonomy().tags)[:12])[0].tag == ""


def test_free_words_of_others_are_made_tags() -> None:
    assert of(offer(tool("do_it", "Does it.")), "time zone")[0].tag == "time.timezones"


def test_what_fits_nowhere_is_still_shown_once() -> None:
    [found] = of(offer(tool("frobnicate", "")))
    assert (found.tag, found.confidence) == ("", 0.0)
    assert found.system is System.OPERATIONS


def test_parameters_of_every_kind() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}
    found = of(
        offer(
            tool("t", inputSchema=schema),
            (ItemKind.PROMPT, {"name": "p", "arguments": [{"name": "x", "required": True}, {"name": "y"}, 3]}),
            (ItemKind.TEMPLATE, {"uriTemplate": "db://{table}/{row}{?limit,offset*}", "name": "Rows"}),
            (ItemKind.RESOURCE, {"uri": "db://all", "name": "All rows"}),
        )
    )
    parameters = {one.kind: one.parameters for one in found}
    assert parameters[ItemKind.TOOL] == (
        CapabilityParameter("a", "integer", True),
        CapabilityParameter("b", "any", False),
    )
    assert [(one.name, one.required) for one in parameters[ItemKind.PROMPT]] == [("x", True), ("y", False)]
    assert [one.name for one in parameters[ItemKind.TEMPLATE]] == ["table", "row", "limit", "offset"]
    assert parameters[ItemKind.RESOURCE] == ()


def test_instructions_are_no_capability_and_a_name_counts_once() -> None:
    twice = offer(tool("t", "One."), tool("t", "Two."))
    words = Definition(kind=ItemKind.INSTRUCTIONS, name="", raw=b'"Hello"')
    assert {one.name for one in of(Offer(items=(*twice.items, words)))} == {"t"}


def test_what_writes_in_a_server_that_was_seen_writing() -> None:
    found = of(offer(tool("write_note"), tool("read_note")), seen=Seen(wrote=True))
    known = {one.name: one.effects.read_only.known for one in found}
    assert known == {"write_note": Known.TRIAL, "read_note": Known.NOTHING}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"a": ' * 500 + b"1" + b"}" * 500,
        b'{"inputSchema": 3, "annotations": []}',
    ],
)
def test_what_cannot_be_read_is_as_good_as_empty(raw: bytes) -> None:
    items = (Definition(kind=ItemKind.TOOL, name="t", raw=raw), Definition(kind=ItemKind.PROMPT, name="p", raw=raw))
    assert [one.parameters for one in of(Offer(items=items))] == [(), ()]
    assert reader().shapes("s", Offer(items=items), made.Known())[0].parameters is None


def test_actions() -> None:
    table = reader().classifier.actions
    assert table.of("read_text_file", "") == ("read", frozenset({"text", "file"}))
    assert table.of("getFileInfo", "") == ("read", frozenset({"file", "info"}))
    assert table.of("current_time", "Get the current time.") == ("read", frozenset({"time"}))
    assert table.of("excel_read_sheet", "", "excel-2") == ("read", frozenset({"sheet"}))
    assert table.of("weather", "", "weather") == ("", frozenset({"weather"}))
    for text in ("", "[action.x]", "fillers = []\n[action]\nx = 1"):
        with pytest.raises(ConfigError):
            actions.parse(text)
