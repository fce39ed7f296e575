"""What a rollout begins with: the tools that go by stages, and what the ledger holds of both sides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp.app.newcomers import common_tools, read_only
from vsm_mcp.app.rollout_counts import Counting, side_of, so_far
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.rollout import Rollout
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.ledger import Ledger


def tool(name: str, **members: Any) -> Definition:
    raw = json.dumps({"name": name, "inputSchema": {"type": "object"}, **members}).encode()
    return Definition(kind=ItemKind.TOOL, name=name, raw=raw)


def offer(*tools: Definition, capabilities: bytes = b"{}") -> Offer:
    return Offer(items=tools, capabilities=capabilities)


def test_only_what_a_client_saw_defined_like_that_goes_by_stages() -> None:
    before = offer(
        tool("same", description="old"),
        tool("more", inputSchema={"type": "object"}),
        tool("bolder", annotations={"readOnlyHint": True}),
        tool("gone"),
        tool("long", execution={"taskSupport": "optional"}),
    )
    after = offer(
        tool("same", description="new"),
        tool("more", inputSchema={"type": "object", "required": ["a"]}),
        tool("bolder", annotations={"readOnlyHint": False}),
        tool("new"),
        tool("long", execution={"taskSupport": "optional"}),
    )
    assert common_tools(before, after) == ("same",)


def test_a_server_that_makes_tasks_goes_at_once() -> None:
    assert common_tools(offer(tool("a")), offer(tool("a"), capabilities=b'{"tasks":{}}')) == ()


def test_copies_are_made_of_what_says_that_it_changes_nothing_alone() -> None:
    found = offer(
        tool("look", annotations={"readOnlyHint": True}),
        tool("lie", annotations={"readOnlyHint": True, "destructiveHint": True}),
        tool("quiet"),
    )
    assert read_only(found, ("look", "lie", "quiet")) == frozenset({"look"})


ROLLOUT = Rollout(id="x", server="files", newcomer="files@2", tools=("read", "write"))


def test_what_is_new_is_counted_once_on_each_side() -> None:
    ledger = Ledger()
    ledger.of("files", "read").note(Ending.ANSWERED, 0.01)
    counting = Counting(ledger, ROLLOUT)
    assert counting.news() == ({}, {})
    ledger.of("files", "read").note(Ending.TIMEOUT, 1.0)
    ledger.of("files@2", "read").note(Ending.TOOL_ERROR, 0.01)
    ledger.of("files", "other").note(Ending.ANSWERED, 0.01)
    incumbent, newcomer = counting.news()
    assert {name: (side.calls, side.faults, side.errors) for name, side in incumbent.items()} == {"read": (1, 1, 0)}
    assert {name: (side.calls, side.faults, side.errors) for name, side in newcomer.items()} == {"read": (1, 0, 1)}
    assert counting.news() == ({}, {})


def test_an_account_that_was_closed_begins_at_nothing_again() -> None:
    ledger = Ledger()
    ledger.of("files@2", "read").note(Ending.ANSWERED, 0.01)
    counting = Counting(ledger, ROLLOUT)
    ledger.forget("files@2")
    assert counting.news() == ({}, {})
    ledger.of("files@2", "read").note(Ending.ANSWERED, 0.01)
    assert counting.news()[1]["read"].calls == 1


def test_a_rival_is_counted_by_its_own_tool() -> None:
    ledger = Ledger()
    stand_in = StandIn(server="notes", tool="get")
    rollout = Rollout(id="x", server="files", newcomer="notes", tools=("read",), stand_ins={"read": stand_in})
    counting = Counting(ledger, rollout)
    ledger.of("notes", "get").note(Ending.ANSWERED, 0.01)
    assert counting.news()[1]["read"].calls == 1


def test_every_way_to_end_counts_as_exactly_one_thing() -> None:
    ledger = Ledger()
    for ending in Ending:
        ledger.of("files", "read").note(ending, 0.01)
    side = side_of(ledger.of("files", "read"))
    assert side.calls == len(Ending) == side.timed + side.faults + side.errors
    assert (side.timed, side.faults) == (1, 6)
    known = so_far(ledger, ROLLOUT)
    assert known["read"].incumbent_before == side
    assert known["read"].incumbent_before.logs == pytest.approx(-4.51, abs=0.01)
