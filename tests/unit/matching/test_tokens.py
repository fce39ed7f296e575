from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.matching.tokens import STOP, joined, name_stems, need_stems, stems, words


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("getHTTPResponse", ["get", "http", "response"]),
        ("read_text_file", ["read", "text", "file"]),
        ("@scope/server-memory", ["scope", "server", "memory"]),
        ("GitHub JavaScript PostgreSQL", ["github", "javascript", "postgresql"]),
        ("PDFs APIs", ["pdfs", "apis"]),
        ("Café Überprüfung", ["cafe", "uberprufung"]),
        ("don't user's", ["don", "user"]),
        ("天気予報 today", ["天気", "気予", "予報", "today"]),
        ("", []),
        ("\x1b[31m!?", ["31m"]),
    ],
)
def test_words(text: str, cut: list[str]) -> None:
    assert words(text) == cut


def test_words_that_say_nothing_here_are_dropped() -> None:
    assert stems("An MCP server that provides tools for AI agents to convert the polynomials") == [
        "convert",
        "polynomi",
    ]


def test_a_need_of_such_words_only_keeps_them() -> None:
    assert stems("use a server") == []
    assert need_stems("use a server") != []


@pytest.mark.parametrize("name", ["excelmcp", "mcpexcel", "excel-mcp", "mcp-server-excel", "@mcp/excel"])
def test_the_name_without_what_all_names_hold(name: str) -> None:
    assert name_stems(name) == ["excel"]


def test_neighbours_are_joined() -> None:
    assert joined(["time", "zone", "v2", "map"]) == ["timezon"]


def test_accents_and_case_make_no_difference() -> None:
    assert stems("CAFÉ café Cafe") == ["cafe", "cafe", "cafe"]


@given(st.text(max_size=300))
def test_any_text_can_be_cut_and_cut_again(text: str) -> None:
    once = stems(text)
    assert all(term == term.lower() or not term.isascii() for term in once)
    # The stem of a word that says something may be a word that does not: "modelling", "model".
    left = [term for term in once if term not in STOP]
    assert stems(" ".join(once)) == left or any(not term.isascii() for term in once)


def test_a_text_of_many_megabytes_costs_no_more_than_its_beginning() -> None:
    began = time.perf_counter()
    stems("polynomial " * 2_000_000)
    assert time.perf_counter() - began < 2.0
