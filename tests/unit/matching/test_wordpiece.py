from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.matching.wordpiece import WordPieces, split

PIECES = ["[UNK]", "time", "zone", "##zone", "##s", "con", "##vert", "!", "日", "x"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Time-Zones!", ["time", "-", "zones", "!"]),
        ("Café à la crème", ["cafe", "a", "la", "creme"]),
        ("日本 tea", ["日", "本", "tea"]),
        ("a\tb\nc\x00d\u200be", ["a", "b", "cde"]),
        ("5€ + £3", ["5€", "+", "£3"]),
        ("", []),
    ],
)
def test_words_and_signs_are_taken_apart(text: str, parts: list[str]) -> None:
    assert split(text) == parts


def test_a_word_is_cut_into_its_longest_known_beginnings() -> None:
    pieces = WordPieces(PIECES)
    assert [PIECES[number] for number in pieces.cut("timezones convert", 9)] == [
        "time", "##zone", "##s", "con", "##vert",
    ]  # fmt: skip
    assert pieces.cut("timezonesx", 9) == [0], "a word of which a part is unknown is unknown"
    assert pieces.cut("x" * 101, 9) == [0]
    assert pieces.cut("time time time", 2) == [1, 1]


def test_a_whole_word_is_not_cut() -> None:
    pieces = WordPieces(PIECES, ["convert"])
    assert pieces.cut("convert timezone", 9) == [len(PIECES), 1, 3]
    assert len(pieces) == len(PIECES) + 1


@given(st.text())
def test_any_text_is_cut_and_twice_the_same(text: str) -> None:
    pieces = WordPieces(PIECES)
    first = pieces.cut(text, 50)
    assert first == pieces.cut(text, 50)
    assert all(0 <= number < len(pieces) for number in first)
    assert len(first) <= 50
