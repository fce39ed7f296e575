from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.matching.bm25 import Bm25f, Field
from vsm_mcp.matching.rarity import idf

FIELDS = {"name": Field(2.0, 0.3), "text": Field(1.0, 0.6)}


def index(*documents: tuple[str, str, str]) -> Bm25f[str]:
    return Bm25f(FIELDS, ((key, {"name": name.split(), "text": text.split()}) for key, name, text in documents))


def test_a_hit_in_the_name_counts_for_more() -> None:
    found = index(("a", "zip", "time"), ("b", "time", "zip")).search(["zip"], 5)
    assert [key for key, _ in found] == ["a", "b"]


def test_a_rare_word_counts_for_more() -> None:
    found = index(("a", "x", "time"), ("b", "x", "zone"), ("c", "x", "time"), ("d", "x", "time")).search(
        ["time", "zone"], 1
    )
    assert found[0][0] == "b"


def test_a_long_text_dilutes_its_words() -> None:
    found = index(("long", "x", "zip " + "pad " * 50), ("short", "x", "zip")).search(["zip"], 2)
    assert found[0][0] == "short"


def test_equal_scores_keep_the_order_of_the_documents() -> None:
    found = index(("b", "zip", ""), ("a", "zip", ""), ("c", "zip", "")).search(["zip"], 2)
    assert [key for key, _ in found] == ["b", "a"]


def test_a_misspelt_word_finds_its_neighbour_below_the_right_spelling() -> None:
    two = index(("p", "postgres", ""), ("q", "sqlite", ""))
    assert two.search(["postgrse"], 1)[0][0] == "p"
    assert two.search(["postgrse"], 1)[0][1] < two.search(["postgres"], 1)[0][1]
    assert two.search(["banana"], 1) == []


def test_an_empty_index_and_an_empty_query_find_nothing() -> None:
    assert index().search(["zip"], 3) == []
    assert index(("a", "zip", "")).search([], 3) == []


def test_a_weight_of_zero_point_one_counts_a_tenth() -> None:
    one = index(("a", "zip", ""), ("b", "tar", ""))
    assert one.search({"zip": 0.1}, 1)[0][1] == pytest.approx(one.search(["zip"], 1)[0][1] / 10)


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=6), min_size=1, max_size=12), st.sampled_from("abcdefg"))
def test_search_finds_exactly_the_documents_that_hold_the_word(texts: list[list[str]], word: str) -> None:
    built = Bm25f({"text": Field(1.0, 0.75)}, ((place, {"text": text}) for place, text in enumerate(texts)))
    found = built.search([word], len(texts))
    assert {key for key, _ in found} == {place for place, text in enumerate(texts) if word in text}
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_idf_is_never_negative_and_falls_with_frequency(documents: int, holding: int) -> None:
    holding = min(holding, documents)
    assert idf(documents, holding) >= 0.0
    assert holding == documents or idf(documents, holding) > idf(documents, holding + 1)
