"""What a need calls for, by sample needs: the arithmetic of it, on vectors that are plain to see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.matching.meaning import Floats, unit
from vsm_mcp.matching.need import OUT_OF_SCOPE, Counted, Reader
from vsm_mcp.matching.relevance import THRESHOLD, Matcher, Thing
from vsm_mcp.matching.samples import LEAST, NEAREST, Samples
from vsm_mcp.matching.taxonomy import parse

EAST, NORTH, UP = np.eye(3, dtype=np.float32)
TAXONOMY = parse(
    """
[[tag]]
name = "calendar"
definition = "Appointments"
words = ["calendar", "appointment"]
[[tag]]
name = "weather"
definition = "Forecasts"
words = ["weather", "rain"]
"""
)


def samples(of_each: int = NEAREST) -> Samples:
    rows = [EAST] * of_each + [NORTH] * of_each + [UP] * NEAREST
    return Samples(["calendar", "weather"], np.array(rows), of_each)


def test_the_nearest_class_has_the_greatest_share() -> None:
    shares = samples().shares(unit(np.array([0.9, 0.3, 0.1], np.float32)))
    assert max(shares, key=lambda name: shares[name]) == "calendar"
    assert samples().shares(UP)[OUT_OF_SCOPE] > 0.99


def test_two_classes_as_near_share_alike() -> None:
    shares = samples().shares(unit(np.array([1.0, 1.0, 0.0], np.float32)))
    assert shares["calendar"] == pytest.approx(shares["weather"]) == pytest.approx(0.5, abs=1e-3)


def test_one_odd_sample_does_not_carry_a_class() -> None:
    rows = [*[EAST] * 2, *[-EAST] * 8, *[NORTH] * 10, *[UP] * NEAREST]
    odd = Samples(["calendar", "weather"], np.array(rows), 10)
    assert "calendar" not in odd.shares(unit(np.array([0.7, 0.6, 0.0], np.float32)))


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3))
def test_shares_are_shares(numbers: list[float]) -> None:
    shares = samples().shares(unit(np.array(numbers, np.float32)))
    assert all(LEAST <= share <= 1.0 + 1e-5 for share in shares.values())
    assert sum(shares.values()) <= 1.0 + 1e-5


def test_too_few_samples_are_no_samples() -> None:
    with pytest.raises(ValueError, match="too few"):
        samples(NEAREST - 1)


class Pointing:
    """A meaning that knows some texts by heart."""

    name, width, scale = "pointing", 3, (0.3, 0.8)

    def __init__(self, known: Mapping[str, Floats]) -> None:
        self._known = known

    def embed(self, texts: list[str]) -> Floats:
        rows = [self._known.get(text, np.zeros(3, np.float32)) for text in texts]
        return np.array(rows, np.float32).reshape(-1, 3)


def matcher(**known: Floats) -> Matcher:
    meaning = Pointing({text.replace("_", " "): vector for text, vector in known.items()})
    return Matcher(Reader(Counted(1000, {"diari": 20, "lunch": 20}), TAXONOMY, meaning, samples()))  # type: ignore[arg-type]


def test_what_bears_the_capability_that_is_meant_meets_a_need_in_words_that_it_does_not_hold() -> None:
    by_meaning = matcher(lunch_in_my_diary=EAST)
    need = by_meaning.need("lunch in my diary")
    assert need.called["calendar"] > 0.99
    assert need.tags == ()
    bearing = Thing("planner", "Plans the week", ("calendar",))
    (met, other) = by_meaning.rate(need, [bearing, bearing._replace(tags=("weather",))])
    assert met.score > THRESHOLD > other.score
    assert met.kind > 0.8
    assert met.words == 0.0
    assert met.missing == ("lunch", "diari"), "that it is of the kind stands for no word"


def test_what_holds_the_words_comes_before_what_only_bears_the_capability() -> None:
    by_meaning = matcher(lunch_in_my_diary=EAST)
    need = by_meaning.need("lunch in my diary")
    (own, other) = by_meaning.rate(need, [Thing("lunch-diary", "", ("calendar",)), Thing("planner", "", ("calendar",))])
    assert own.score > other.score


def test_what_says_plainly_that_it_does_it_comes_before_what_only_bears_the_capability() -> None:
    by_meaning = matcher(lunch_in_my_diary=EAST, **{"noon. Books a table for noon": EAST})
    need = by_meaning.need("lunch in my diary")
    plain, other = by_meaning.rate(need, [Thing("noon", "Books a table for noon"), Thing("planner", "", ("calendar",))])
    assert (plain.kind, other.near) == (0.0, 0.0)
    assert plain.score > other.score > THRESHOLD


def test_what_was_embedded_is_kept_for_the_next_need() -> None:
    class Counting(Pointing):
        asked: list[str]

        def embed(self, texts: list[str]) -> Floats:
            self.asked += texts
            return super().embed(texts)

    meaning = Counting({"lunch": EAST, "rain": NORTH, "planner. Plans": EAST})
    meaning.asked = []
    both = Matcher(Reader(Counted(1000, {}), TAXONOMY, meaning, samples()))  # type: ignore[arg-type]
    near = [both.rate(both.need(need), [Thing("planner", "Plans")])[0].near for need in ("lunch", "rain", "lunch")]
    assert near == pytest.approx([1.0, 0.0, 1.0])
    assert meaning.asked == ["lunch", "planner. Plans", "rain"]


def test_what_tools_say_is_read_by_the_quick_meaning_and_the_nearest_counts() -> None:
    slow = Pointing({"lunch": EAST, "planner. Plans": NORTH})
    quick = Pointing({"one. Sleeps": NORTH, "two. Eats": EAST, "planner. Plans": EAST})
    both = Matcher(Reader(Counted(1000, {}), TAXONOMY, slow, samples()), quick=quick)  # type: ignore[arg-type]
    alone, doing = both.rate(
        both.need("lunch"), [Thing("planner", "Plans"), Thing("planner", "Plans", does=("one. Sleeps", "two. Eats"))]
    )
    assert (alone.near, doing.near) == pytest.approx((0.0, 1.0))


def test_likenesses_of_several_capabilities_add_up() -> None:
    between = matcher(lunch=unit(EAST + NORTH))
    need = between.need("lunch")
    both, one = between.rate(need, [Thing("a", "", ("calendar", "weather")), Thing("b", "", ("calendar",))])
    assert both.kind == pytest.approx(2 * one.kind, rel=1e-3)


def test_what_no_program_can_do_is_met_by_nothing_whatever_its_words() -> None:
    hopeless, plain = matcher(lunch=UP), matcher(lunch=EAST)
    thing = Thing("lunch", "Lunch")
    assert plain.rate(plain.need("lunch"), [thing])[0].score > THRESHOLD
    assert hopeless.need("lunch").out_of_scope > 0.99
    assert hopeless.rate(hopeless.need("lunch"), [thing])[0].score < 0.05


def test_a_need_is_widened_by_the_words_of_what_it_calls_for() -> None:
    query = matcher(lunch=NORTH).need("lunch").query
    assert {"weather", "rain"} <= set(query)
    assert query["rain"] < query["lunch"]


def test_without_a_meaning_words_alone_are_read() -> None:
    need = Reader(Counted(1000, {}), TAXONOMY, None, samples()).read("lunch in my diary")
    assert (need.vector, need.called, need.out_of_scope) == (None, {}, 0.0)
