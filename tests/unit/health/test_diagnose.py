"""Patience before anything counts, and before it is forgotten."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.health.check import Condition, Reading, unavailable
from vsm_mcp.health.diagnose import STALE_SECONDS, Chart, diagnose, given_up, renewed
from vsm_mcp.health.trend import Trend
from vsm_mcp.model.finding import CheckStatus

FAILURES = 3
GOOD = Reading(status=CheckStatus.PASS, looked_at=1)
BAD = Reading(status=CheckStatus.FAIL, looked_at=1, detail="it is silent", severity=Condition.FAILING)
SLOW = Reading(status=CheckStatus.FAIL, looked_at=1, detail="it is slow", ageing=True, basis="question")
BLIND = unavailable("nobody could look")
LETTERS = {"g": GOOD, "b": BAD, "s": SLOW, "u": BLIND}


def looks(text: str, chart: Chart | None = None, every: float = 30.0) -> list[Chart]:
    """Return the charts after each look; a letter each, see ``LETTERS``."""
    found, at = [chart or Chart()], 1000.0
    for letter in text:
        at += every
        found.append(diagnose(found[-1], {"one": LETTERS[letter]}, {}, at, FAILURES))
    return found[1:]


def conditions(text: str) -> str:
    return "".join("hdf"[chart.condition] for chart in looks(text))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("ggg", "hhh"),
        ("bbb", "hhf"),
        ("sss", "hhd"),
        ("bbg", "hhh"),
        ("bgbgbgbg", "hhhhhhhh"),
        ("bbbgbgbggg", "hhfffffffh"),
        ("bbbgg", "hhfff"),
        ("bubub", "hhhhh"),
        ("uuuuuu", "hhhhhh"),
        ("bbbuuu", "hhffff"),
        ("bbbss", "hhfdd"),
    ],
)
def test_so_many_in_a_row(text: str, after: str) -> None:
    assert conditions(text) == after


def test_what_is_said_of_it() -> None:
    chart = looks("bbb")[-1]
    assert (chart.since, chart.reason) == (1090.0, "one: it is silent")
    assert chart.doubtful
    assert looks("b")[-1].doubtful
    assert not looks("bg")[-1].doubtful
    assert not looks("sss")[-1].doubtful  # what is degraded needs no closer look
    assert looks("sss")[-1].urgent
    assert looks("bbbb")[-1].since == 1090.0


def test_doubt_fades_where_nobody_can_look() -> None:
    assert not looks("buu")[-1].streaks


def test_what_nobody_confirms_for_long_is_not_held_against_it() -> None:
    count = int(STALE_SECONDS / 30) + 2
    assert conditions("bbb" + "u" * count)[-1] == "h"


def test_what_grows_is_degraded_before_its_limit() -> None:
    grown, reading = Trend(slope=1.0, eta=1800.0, sure=5.0), Reading(status=CheckStatus.PASS, detail="half full")
    chart = Chart()
    for number in range(3):
        chart = diagnose(chart, {"one": reading}, {"one": grown}, float(number), FAILURES)
    assert chart.condition is Condition.DEGRADED
    assert chart.reason == "one: half full, and growing: it reaches its limit in about 30 minutes"
    assert not chart.urgent
    chart = diagnose(chart, {"one": reading}, {"one": Trend(slope=1.0, eta=100.0, sure=5.0)}, 9.0, FAILURES)
    assert chart.urgent
    assert renewed(chart).condition is Condition.HEALTHY


def test_a_new_process_has_to_prove_itself() -> None:
    sick = looks("bbb")[-1]
    chart = renewed(sick)
    assert chart.condition is Condition.FAILING
    assert [each.condition for each in looks("ggg", chart)] == [Condition.FAILING] * 2 + [Condition.HEALTHY]
    blind = looks("uuu", chart)  # error rates cannot be seen where no calls come: it is given the benefit
    assert [each.condition for each in blind] == [Condition.FAILING] * 2 + [Condition.HEALTHY]
    assert looks("bbb", chart)[-1].condition is Condition.FAILING


def test_one_that_was_given_up_fails_until_it_runs() -> None:
    chart = given_up(Chart(), "it crashed", 5.0)
    chart = given_up(chart, "it crashed again", 9.0)
    assert (chart.condition, chart.reason, chart.since) == (Condition.FAILING, "supervision: it crashed again", 5.0)
    assert looks("g", chart)[-1].condition is Condition.HEALTHY


@given(st.text(alphabet="gbsu", max_size=80))
def test_it_never_swings_faster_than_its_patience(text: str) -> None:
    steps = enumerate(pairwise("h" + conditions(text)))
    changes = [place for place, (one, other) in steps if (one == "h") != (other == "h")]
    assert all(later - earlier >= FAILURES for earlier, later in pairwise(changes))


@given(st.text(alphabet="gbsu", max_size=60), st.integers(1, 9))
def test_unavailable_is_never_a_pass(text: str, failures: int) -> None:
    """With every *unavailable* taken away it is at least as well as with them."""
    chart, plain, at = Chart(), Chart(), 0.0
    for letter in text:
        at += 1.0
        chart = diagnose(chart, {"one": LETTERS[letter]}, {}, at, failures)
        if letter != "u":
            plain = diagnose(plain, {"one": LETTERS[letter]}, {}, at, failures)
    if "u" not in text:
        assert chart == plain
    if not any(letter in "bs" for letter in text):
        assert chart.condition is Condition.HEALTHY
    if "g" not in text and plain.condition is Condition.FAILING and len(text) < STALE_SECONDS and "u" not in text:
        assert chart.condition is not Condition.HEALTHY
