"""Up the rungs one by one, with more patience each time; a person is called once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.health.check import Condition
from vsm_mcp.health.ladder import (
    ESCALATE,
    KNOCK,
    Attempt,
    Case,
    Climb,
    Pace,
    Rest,
    Rung,
    Try,
    Wait,
    attempted,
    concluded,
    decide,
    observed,
    patience,
)

RUNGS = (Rung("reconnect", 2), Rung("soft_restart"), Rung("hard_restart"), Rung("full_recovery"), Rung("replace"))
PACE = Pace()
FAILING = Case(condition=Condition.FAILING, rungs=RUNGS, knock="hard_restart")
WELL = Case(condition=Condition.HEALTHY, rungs=RUNGS, knock="hard_restart")


def climbed(seconds: float, case: Case = FAILING) -> list[tuple[str, float]]:
    """Return what is tried, and when, with a server that nothing helps."""
    climb, now, found = Climb(), 0.0, []
    while now < seconds:
        step = decide(climb, case, now, PACE)
        if isinstance(step, Try):
            found.append((step.remedy, now))
            climb = attempted(climb, Attempt(remedy=step.remedy, at=now))
            continue
        assert isinstance(step, Wait)
        assert step.seconds > 0
        now += step.seconds
    return found


def test_each_rung_in_its_order_with_longer_pauses() -> None:
    found = climbed(200)
    assert [remedy for remedy, _ in found] == [
        "reconnect", "reconnect", "soft_restart", "hard_restart", "full_recovery", "replace", ESCALATE,
    ]  # fmt: skip
    pauses = [later - earlier for (_, earlier), (_, later) in pairwise(found)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_a_person_is_called_once_and_then_it_is_tried_now_and_then() -> None:
    found = climbed(4 * PACE.knock)
    assert [remedy for remedy, _ in found].count(ESCALATE) == 1
    knocks = [at for remedy, at in found if remedy == KNOCK]
    assert len(knocks) == 3
    assert min(later - earlier for earlier, later in pairwise(knocks)) >= PACE.knock


def test_without_a_way_to_knock_it_waits() -> None:
    assert KNOCK not in [remedy for remedy, _ in climbed(5000, Case(condition=Condition.FAILING, rungs=RUNGS))]


def test_one_that_is_replaced_is_knocked_at_and_nobody_is_called() -> None:
    climb = Climb(attempts=(Attempt(remedy="replace", at=0.0, outcome="done"),), stands_in=("other",))
    assert isinstance(decide(climb, FAILING, 100.0, PACE), Wait)
    assert decide(climb, FAILING, PACE.knock, PACE) == Try(KNOCK)


def test_on_the_mend_it_is_left_alone() -> None:
    climb = Climb(attempts=(Attempt(remedy="soft_restart", at=0.0),))
    mending = Case(condition=Condition.FAILING, mending=True, rungs=RUNGS)
    assert isinstance(decide(climb, mending, 500.0, PACE), Wait)


def test_it_remembers_until_it_was_well_for_long() -> None:
    climb = observed(Climb(attempts=(Attempt(remedy="soft_restart", at=0.0),)), Condition.HEALTHY, 10.0)
    assert climb.well == 10.0
    assert observed(climb, Condition.HEALTHY, 50.0) == climb
    assert isinstance(decide(climb, WELL, 100.0, PACE), Wait)
    relapsed = observed(climb, Condition.FAILING, 200.0)
    assert decide(relapsed, FAILING, 200.0, PACE) == Try("hard_restart")  # not the one that has not lasted
    assert decide(climb, WELL, 10.0 + PACE.lasting, PACE) == Rest(forget=True)
    assert decide(Climb(), WELL, 0.0, PACE) == Rest()


def test_what_works_still_is_treated_gently_and_once() -> None:
    case = Case(condition=Condition.DEGRADED, urgent=True, rungs=RUNGS, gentle="soft_restart")
    assert decide(Climb(), case, 0.0, PACE) == Try("soft_restart")
    climb = Climb(attempts=(Attempt(remedy="soft_restart", at=0.0),))
    for now in (0.0, 1e3, 1e6):
        assert isinstance(decide(climb, case, now, PACE), Wait)
    calm = Case(condition=Condition.DEGRADED, rungs=RUNGS, gentle="soft_restart")
    assert decide(Climb(), calm, 0.0, PACE) == Rest()


def test_no_rung_applies() -> None:
    assert decide(Climb(), Case(condition=Condition.FAILING), 0.0, PACE) == Try(ESCALATE)


def test_what_came_of_it() -> None:
    climb = attempted(Climb(well=5.0), Attempt(remedy="soft_restart", at=1.0))
    assert (climb.attempts[-1].outcome, climb.well) == ("tried", 0.0)
    climb = concluded(climb, 9.0, "failed", "no")
    assert climb.attempts == (Attempt(remedy="soft_restart", at=9.0, outcome="failed", detail="no"),)
    assert concluded(Climb(), 9.0, "done", "") == Climb()
    assert attempted(climb, Attempt(remedy=ESCALATE, at=11.0)).escalated == 11.0


@given(st.integers(0, 60), st.floats(0, 1), st.floats(0, 1e6))
def test_a_pause_is_never_longer_than_the_longest(count: int, jitter: float, later: float) -> None:
    climb = Climb(attempts=tuple(Attempt(remedy="x", at=1000.0) for _ in range(count)))
    pause = patience(climb, 1000.0 + later, PACE, jitter)
    assert 0 <= pause <= PACE.longest
    if count and later == 0:
        assert pause >= 0.75 * PACE.backoff


@given(st.lists(st.tuples(st.sampled_from(["f", "h", "d"]), st.booleans(), st.floats(0, 400)), max_size=120))
def test_it_never_goes_down_and_never_acts_on_the_well(days: list[tuple[str, bool, float]]) -> None:
    """Whatever a server does: no remedy while it is healthy, rungs only upwards until it was well for long."""
    climb, now, highest = Climb(), 0.0, -1
    words = {"f": Condition.FAILING, "h": Condition.HEALTHY, "d": Condition.DEGRADED}
    names = [rung.remedy for rung in RUNGS]
    for letter, mending, seconds in days:
        now += seconds
        climb = observed(climb, words[letter], now)
        step = decide(climb, Case(condition=words[letter], mending=mending, rungs=RUNGS, knock="x"), now, PACE)
        if isinstance(step, Try):
            assert letter == "f"
            assert not mending
            if step.remedy in names:
                assert names.index(step.remedy) >= highest
                highest = names.index(step.remedy)
            climb = attempted(climb, Attempt(remedy=step.remedy, at=now))
        elif isinstance(step, Rest) and step.forget:
            climb, highest = Climb(), -1


@pytest.mark.parametrize("clock", [-1e6, 1e6])
def test_a_clock_that_is_set_does_no_harm(clock: float) -> None:
    climb = Climb(attempts=(Attempt(remedy="soft_restart", at=2e6),))
    step = decide(climb, FAILING, 2e6 + clock, PACE)
    assert step == Try("hard_restart") if clock > 0 else isinstance(step, Wait) and step.seconds <= PACE.longest
