from __future__ import annotations

import pytest

from vsm_mcp.discovery.meaning import meaning
from vsm_mcp.matching.acts import ALTER, DROP, MAKE, OTHERWISE, SHOW, done, kept, only_done, wanted
from vsm_mcp.matching.need import Counted, Reader
from vsm_mcp.matching.relevance import Matcher, Thing
from vsm_mcp.matching.taxonomy import Taxonomy
from vsm_mcp.matching.tools import ToolIndex
from vsm_mcp.matching.wording import ToolText


@pytest.mark.parametrize(
    ("need", "acts"),
    [
        ("delete an event", {DROP}),
        ("please remove this row", {DROP}),
        ("what is planned on Friday", {SHOW}),
        ("generating QR codes", {MAKE}),
        ("rename a folder", {ALTER}),
        ("add a label", {MAKE, ALTER}),
        ("the weather in Paris", set()),
        ("in the very end, delete it", set()),
        ("", set()),
    ],
)
def test_what_a_need_wants_done(need: str, acts: set[str]) -> None:
    assert wanted(need) == acts


@pytest.mark.parametrize(
    ("name", "description", "acts"),
    [
        ("calendar_delete_event", "Gets rid of an event", {DROP}),
        ("listEvents", "", {SHOW}),
        ("events", "Creates an event", {MAKE}),
        ("qr-reader", "", {SHOW}),
        ("events", "The events that you may want to delete", set()),
        ("", "", set()),
    ],
)
def test_what_a_tool_does(name: str, description: str, acts: set[str]) -> None:
    assert done(name, description) == acts


def test_what_says_several_acts_may_do_more() -> None:
    assert only_done("Reads QR codes in pictures") == {SHOW}
    assert only_done("Reads and writes files") == only_done("Files") == frozenset()


def test_only_what_is_known_to_do_something_else_counts_for_less() -> None:
    assert kept({DROP}, {SHOW}) == OTHERWISE
    assert kept({DROP}, {SHOW, DROP}) == kept(frozenset(), {SHOW}) == kept({DROP}, frozenset()) == 1.0


def test_of_two_tools_the_one_that_does_it_comes_first() -> None:
    tools = [
        ToolText("r", "list_events", "Events of a calendar"),
        ToolText("d", "delete_event", "Events of a calendar"),
    ]
    for means in (None, meaning()):
        index = ToolIndex(tools, means)
        assert index.search("delete an event from the calendar", 1)[0][0] == "d"
        assert index.search("what events are in the calendar", 1)[0][0] == "r"


def test_a_candidate_that_only_does_something_else_is_less_relevant() -> None:
    matcher = Matcher(Reader(Counted(1000, {"qr": 20, "code": 200, "gener": 300}), Taxonomy([])))
    need = matcher.need("generate a QR code")
    reads, makes = Thing("qr", "Reads a QR code to generate nothing"), Thing("qr", "Makes a QR code")
    assert matcher.match(need, Thing("qr-code", "Reads a QR code")).kept == OTHERWISE
    assert matcher.match(need, reads).kept == matcher.match(need, makes).kept == 1.0
