from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing.traits import NOTHING_SAID, Traits, Words, traits_of


def tool(name: str = "read", **annotations: Any) -> Definition:
    raw = json.dumps({"name": name, "inputSchema": {}, "annotations": annotations}).encode()
    return Definition(kind=ItemKind.TOOL, name=name, raw=raw)


READS = Traits(read_only=True, open_world=False)


def test_what_a_tool_says() -> None:
    assert traits_of(tool(readOnlyHint=True).raw).repeatable
    assert traits_of(tool(idempotentHint=True).raw).repeatable
    assert not traits_of(tool(destructiveHint=False).raw).repeatable


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"annotations":null}',
        b'{"annotations":[]}',
        b'{"annotations":{"readOnlyHint":"yes"}}',
        b"\xff",
    ],
)
def test_what_is_not_said_is_taken_for_the_worst(raw: bytes) -> None:
    assert traits_of(raw) == NOTHING_SAID


@pytest.mark.parametrize(
    ("asked", "other", "may"),
    [
        (READS, READS, True),
        (READS, Traits(read_only=True), False),  # what is asked would leave for the world
        (Traits(read_only=True), READS, True),
        (READS, Traits(open_world=False), False),
        (NOTHING_SAID, READS, True),
        (NOTHING_SAID, NOTHING_SAID, True),
        (NOTHING_SAID, Traits(destructive=False), True),
        (Traits(destructive=False), NOTHING_SAID, False),
        (Traits(idempotent=True), NOTHING_SAID, False),
        (NOTHING_SAID, Traits(idempotent=True), True),
    ],
)
def test_what_may_be_called_in_the_place_of_what(asked: Traits, other: Traits, may: bool) -> None:
    assert asked.covers(other) is may


def test_the_words_of_what_is_served_count_and_no_others() -> None:
    words = Words()
    assert words.of("files", "read") == NOTHING_SAID
    words.show({"files": Offer(items=(tool(readOnlyHint=True), tool(readOnlyHint=False)))})
    assert words.of("files", "read").read_only, "of two tools of a name the first counts, as everywhere"
    assert words.of("files", "write") == NOTHING_SAID
    words.show({"files": Offer(items=(tool(),))})
    assert not words.of("files", "read").read_only
    words.show({})
    assert words.of("files", "read") == NOTHING_SAID
