"""Tools by their words and by their meaning, with the model that ships."""

from __future__ import annotations

import pytest

from vsm_mcp.discovery.meaning import meaning
from vsm_mcp.matching.tools import ToolIndex
from vsm_mcp.matching.wording import ToolText, asked, described, names_in, of_tool

TOOLS = [
    ToolText("a", "get_forecast", "Forecast of rain, wind and temperature", server="weather Weather for any place"),
    ToolText("b", "create_event", "Add an event to a calendar", "title start end", "diary Calendars"),
    ToolText("c", "resize_image", "Change width and height of an image", server="pictures Work with images"),
    ToolText("d", "run_query", "Run SQL on a database", "sql text", "postgres A PostgreSQL database"),
    ToolText("e", "delete", "Delete one", server="tasks Google Tasks: to-do lists"),
    ToolText("f", "delete", "Delete one", server="mail Mailboxes and letters"),
]


@pytest.fixture(scope="module")
def index() -> ToolIndex:
    return ToolIndex(TOOLS, meaning())


@pytest.mark.parametrize(
    ("need", "key"),
    [
        ("will it be sunny and how hot", "a"),
        ("put an appointment in my schedule", "b"),
        ("make a photo smaller", "c"),
        ("run_query", "d"),
        ("remove a to-do", "e"),
        ("throw an email away", "f"),
    ],
)
def test_other_words_for_the_same_find_the_tool(index: ToolIndex, need: str, key: str) -> None:
    assert index.search(need, 1)[0][0] == key


def test_what_does_the_reverse_comes_after_what_does_it() -> None:
    tools = [*TOOLS, ToolText("x", "pdf_to_markdown", "Turn pdf into markdown"), ToolText("y", "markdown_to_pdf")]
    for means in (None, meaning()):
        found = ToolIndex(tools, means)
        assert [key for key, _ in found.search("turn markdown into pdf", 2)] == ["y", "x"]
        assert [key for key, _ in found.search("a pdf to markdown converter", 2)] == ["x", "y"]


def test_words_alone_find_only_what_shares_them() -> None:
    plain = ToolIndex(TOOLS)
    assert plain.search("make a photo smaller", 3) == []
    assert [key for key, _ in plain.search("resize an image", 3)] == ["c"]


def test_best_come_first_and_no_more_than_asked(index: ToolIndex) -> None:
    found = index.search("calendar", 4)
    assert len(found) <= 4
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize("need", ["", "!!", " \n"])
def test_a_need_without_words_finds_nothing(index: ToolIndex, need: str) -> None:
    assert index.search(need, 5) == []


def test_an_empty_catalogue_finds_nothing() -> None:
    assert ToolIndex([], meaning()).search("weather", 5) == []


@pytest.mark.parametrize(
    ("name", "description", "text"),
    [
        ("mcp-server-time", "A Model Context Protocol server for time zones", "time. time zones"),
        ("getTime", "MCP tool that tells the time", "get time. tells the time"),
        ("weather-mcp", "", "weather"),
        ("find-mcp", "MCP servers for everything", "find. everything"),
        ("find-mcp", "A registry for MCP servers", "find. A registry for MCP servers"),
        ("gate", "Puts MCP tools behind an MCP gateway", "gate. Puts MCP tools behind gateway"),
    ],
)
def test_what_all_say_of_themselves_is_left_out(name: str, description: str, text: str) -> None:
    assert described(name, description) == text


def test_a_long_description_counts_by_its_beginning() -> None:
    assert len(of_tool(ToolText("k", "zip", "x" * 10_000))) < 400


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (
            "Add an event to a calendar of yours. Returns its id. Not for tasks!",
            "zip. Add an event to a calendar of yours.",
        ),
        ("Note. Packs some files into an archive. Returns it.", "zip. Note. Packs some files into an archive."),
        ("Packs some files into an archive\n\nArgs: files", "zip. Packs some files into an archive"),
        ("", "zip"),
    ],
)
def test_a_tool_is_what_its_first_sentence_says(description: str, text: str) -> None:
    assert of_tool(ToolText("k", "zip", description)) == text


@pytest.mark.parametrize(
    ("need", "names"),
    [
        ("what is the weather in Paris", {"paris"}),
        ("Weather", set()),
        ("put lunch with Anna on Friday in my diary", {"anna", "friday"}),
        ("Read The Papers", set()),
        ("query a SQL database of Mr X", {"mr"}),
        ("", set()),
    ],
)
def test_names_in_a_need(need: str, names: set[str]) -> None:
    assert names_in(need) == names


def test_a_need_of_nothing_else_keeps_it() -> None:
    assert asked("an MCP server") == "an MCP server"
    assert asked("an MCP server for charts") == "charts"
