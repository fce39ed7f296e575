"""Servers of a list by what they say of themselves and what their tools do, with the model that ships."""

from __future__ import annotations

import numpy as np
import pytest

from vsm_mcp.discovery.meaning import meaning
from vsm_mcp.matching.meaning import Meaning
from vsm_mcp.matching.servers import ServerIndex
from vsm_mcp.matching.wording import ServerText

SERVERS = [
    ServerText("a", "acme", "Everything of Acme", tools=(("get_forecast", "Rain, wind and temperature of a place"),)),
    ServerText("b", "diary", "Calendars", tools=(("create_event", "Add an event"), ("list_events", "What is planned"))),
    ServerText("c", "pictures", "Work with images"),
    ServerText("d", "suite", "An office suite", "documents letters", (("run_report", ""), ("send_letter", "By post"))),
    ServerText("e", "pdf-to-markdown", "Turn pdf into markdown"),
    ServerText("f", "markdown-to-pdf", "Turn markdown into pdf"),
]


@pytest.fixture(scope="module")
def index() -> ServerIndex:
    return ServerIndex(SERVERS, meaning())


@pytest.mark.parametrize(
    ("need", "key"),
    [
        ("will it be sunny and how hot", "a"),  # its tool says so, it does not
        ("put an appointment in my schedule", "b"),
        ("make a photo smaller", "c"),
        ("run_report", "d"),
        ("a pdf to markdown converter", "e"),
        ("turn markdown into pdf", "f"),
    ],
)
def test_tools_and_description_find_the_server(index: ServerIndex, need: str, key: str) -> None:
    assert index.search(need, 1)[0][0] == key


def test_words_alone_find_only_what_shares_them() -> None:
    plain = ServerIndex(SERVERS)
    assert plain.search("make a photo smaller", 3) == []
    assert [key for key, _ in plain.search("letters", 3)] == ["d"]


def test_best_come_first_and_no_more_than_asked(index: ServerIndex) -> None:
    found = index.search("calendar", 4)
    assert len(found) <= 4
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize("means", [None, meaning()])
def test_nothing_asked_and_nothing_there(index: ServerIndex, means: Meaning | None) -> None:
    assert index.search("", 3) == index.search("!?", 3) == []
    assert ServerIndex([], means).search("calendar", 3) == []


def test_tools_that_differ_pull_a_server_less_far_than_one_that_does_just_that() -> None:
    many = tuple((name, "") for name in ("get_forecast", "send_letter", "play_chess", "solve_equation"))
    servers = [ServerText("all", "acme", "", tools=many), ServerText("one", "acme", "", tools=many[:1])]
    assert [key for key, _ in ServerIndex(servers, meaning()).search("will it rain", 1)] == ["one"]


def test_a_meaning_that_knows_nothing_of_a_need_leaves_it_to_the_words() -> None:
    class Blank:
        name, width, scale = "blank", 4, (0.0, 1.0)

        def embed(self, texts: list[str]) -> np.ndarray:
            return np.zeros((len(texts), 4), np.float32)

    assert [key for key, _ in ServerIndex(SERVERS, Blank()).search("letters", 3)] == ["d"]  # type: ignore[arg-type]
