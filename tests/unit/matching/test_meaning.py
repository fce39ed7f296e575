from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.meaning import Table, best, spread, squeezed, unit
from vsm_mcp.matching.static_model import Rows, StaticModel, for_minilm

numbers = st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=30)
PIECES = ["[UNK]", "rain", "sun", "##ny", "the"]


def file(**others: Any) -> io.BytesIO:
    vectors = np.array([[0, 0], [127, 0], [0, 127], [0, 127], [1, 1], [127, 127], [-127, 0]], np.int8)
    content: dict[str, Any] = {
        "about": np.frombuffer(json.dumps({"name": "small"}).encode(), np.uint8),
        "pieces": np.frombuffer("".join(f"{piece}\n" for piece in PIECES).encode(), np.uint8),
        "words": np.frombuffer(b"sunrain\n", np.uint8),
        "pairs": np.frombuffer(b"rain sun\n", np.uint8),
        "vectors": vectors,
        "scales": np.full(7, 1 / 127, np.float32),
        "axes": np.eye(384, 2, dtype=np.float16),
        "up": np.zeros((2, 3), np.float16),
        "off": np.zeros(3, np.float16),
        "down": np.zeros((3, 2), np.float16),
    }
    made = io.BytesIO()
    np.savez(made, **{**content, **others})
    made.seek(0)
    return made


def test_a_text_is_the_sum_of_its_words_and_pieces() -> None:
    model = StaticModel(file())
    assert (model.name, model.width) == ("small", 2)
    rain, sunny, whole, nothing = model.embed(["rain", "Sunny", "sunrain", "?"])
    assert rain @ sunny == pytest.approx(0.0)
    assert rain @ whole == pytest.approx(0.5**0.5)
    assert not nothing.any(), "a text of which nothing is known has no direction"
    assert model.embed(["the rain the rain"])[0] @ rain > 0.99, "a word of little weight hardly turns it"


def test_two_neighbours_that_are_known_together_add_what_they_mean() -> None:
    model = StaticModel(file())
    together, reversed_, apart, sun = model.embed(["Rain, sun; rain sun", "sun rain", "rain the sun", "sun"])
    assert together @ sun > reversed_ @ sun + 0.1, "in this order, side by side"
    assert model.embed(["rain sun"])[0] @ sun == pytest.approx(1.0)
    assert apart @ reversed_ > 0.99, "not with another word between them"


def test_what_minilm_needs_are_its_own_pieces_and_the_axes() -> None:
    pieces, axes = for_minilm(file())
    assert (len(pieces), axes.shape) == (len(PIECES), (384, 2)), "without the words that were added"
    with pytest.raises(ConfigError, match="model of words"):
        for_minilm(io.BytesIO(b"junk"))


def test_the_hidden_layer_turns_the_sum_and_leaves_nothing_alone() -> None:
    layer = {
        "up": np.array([[1, 0, 0], [0, 0, 0]], np.float16),
        "off": np.array([-0.5, -1, 0], np.float16),
        "down": np.array([[0, 1], [9, 9], [9, 9]], np.float16),
    }
    rain, sun, nothing = StaticModel(file(**layer)).embed(["rain", "sun", "?"])
    assert rain.tolist() == pytest.approx([0.8**0.5, 0.2**0.5])  # (1, 0) + (1 - 0.5) · (0, 1)
    assert sun.tolist() == pytest.approx([0, 1]), "nothing of it reaches the layer"
    assert not nothing.any()


def test_rows_are_those_of_words_then_of_pairs() -> None:
    rows = Rows(PIECES, ["sunrain"], ["rain sun"])
    assert len(rows) == 7
    assert rows.of("sunrain rain sun sunny") == [5, 1, 2, 2, 3, 6]
    assert len(rows.of("sun " * 400)) == 256, "the rest of a long text is left out"


@pytest.mark.parametrize("content", [b"", b"junk", file().getvalue()[:300]])
def test_a_damaged_file_is_a_clear_error(content: bytes) -> None:
    with pytest.raises(ConfigError, match="model of words"):
        StaticModel(io.BytesIO(content))


def test_objects_in_a_file_are_refused() -> None:
    with pytest.raises(ConfigError, match="model of words"):
        StaticModel(file(vectors=np.array([{}], dtype=object)))


@given(numbers, st.integers(0, 40))
def test_the_best_are_the_greatest_and_of_equal_ones_the_earlier(scores: list[float], limit: int) -> None:
    expected = sorted(range(len(scores)), key=lambda place: (-np.float32(scores[place]), place))[:limit]
    assert best(np.array(scores, np.float32), limit) == expected


@given(numbers, st.integers(1, 40))
def test_spread_keeps_the_order_between_nought_and_one(scores: list[float], among: int) -> None:
    given_scores = np.array(scores, np.float32)
    spreaded = spread(given_scores, among)
    assert spreaded.min() >= 0.0
    assert spreaded.max() <= 1.0
    assert (spreaded > 0.0).sum() <= among
    assert all(
        spreaded[one] <= spreaded[other]
        for one in range(len(scores))
        for other in range(len(scores))
        if given_scores[one] <= given_scores[other]
    )


def test_nothing_is_spread_and_nothing_is_best() -> None:
    none = np.zeros(0, np.float32)
    assert len(spread(none, 3)) == 0
    assert best(none, 3) == []


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=8))
def test_a_squeezed_vector_is_nearly_itself(rows: list[list[float]]) -> None:
    vectors = np.array(rows, np.float32)
    squeezed_rows, scales = squeezed(vectors)
    again = squeezed_rows.astype(np.float32) * scales[:, None]
    assert np.abs(again - vectors).max() <= np.abs(vectors).max() / 127 + 1e-6


def test_a_table_says_how_near_its_rows_are() -> None:
    table = Table(unit(np.array([[3, 0], [0, 2], [1, 1]], np.float32)))
    assert len(table) == 3
    assert table.near(table.row(0)).tolist() == pytest.approx([1.0, 0.0, 0.5**0.5])
