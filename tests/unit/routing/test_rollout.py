"""What becomes of a rollout, from what was counted: by the rule, and by simulation of whole ladders."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec
import pytest
from benchmarks.rollouts import Worse, simulated
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.rollout import Counts, Phase, Rollout, Side, Wager
from vsm_mcp.model.rollout_settings import RolloutSettings
from vsm_mcp.routing import wager
from vsm_mcp.routing.pace import bound, pace
from vsm_mcp.routing.rollout import advanced, counted, decide

SETTINGS = RolloutSettings(stage_seconds=60, stage_calls=50)
RUNS = 60


def fresh(**given: object) -> Rollout:
    return msgspec.structs.replace(
        Rollout(id="x", server="files", newcomer="files@2", stages=(5, 15, 30, 50, 75, 100)), **given
    )


def side(calls: int, *, faults: int = 0, errors: int = 0, seconds: float = 0.01) -> Side:
    good = calls - faults - errors
    logs = [math.log(seconds + 0.001) + (0.1 if number % 2 else -0.1) for number in range(good)]
    return Side(
        calls=calls,
        faults=faults,
        errors=errors,
        timed=good,
        logs=sum(logs),
        squares=sum(log * log for log in logs),
    )


def seen(newcomer: Side, incumbent: Side, rollout: Rollout | None = None) -> Rollout:
    return counted(rollout or fresh(), {"read": incumbent}, {"read": newcomer})


def test_three_good_calls_prove_nothing_however_long_they_took_to_come() -> None:
    found = decide(seen(side(3), side(60)), SETTINGS, now=1e6)
    assert (found.what, found.reason) == ("hold", "3 of 50 calls")


def test_enough_good_calls_wait_for_the_time_of_the_stage() -> None:
    rollout = seen(side(50), side(950))
    assert decide(rollout, SETTINGS, now=59).what == "hold"
    assert decide(rollout, SETTINGS, now=60).what == "promote"


def test_three_bad_calls_of_three_are_no_chance() -> None:
    assert decide(seen(side(1, faults=1), side(40)), SETTINGS, now=1).what == "hold"
    found = decide(seen(side(4, faults=4), side(80)), SETTINGS, now=1)
    assert found.what == "roll_back"
    assert "fails more calls" in found.reason


def test_a_newcomer_that_fails_as_the_incumbent_does_is_not_blamed() -> None:
    found = decide(seen(side(100, faults=10), side(1900, faults=190)), SETTINGS, now=60)
    assert found.what == "promote", found


def test_below_the_floor_nothing_goes_on_where_the_incumbent_keeps_it() -> None:
    found = decide(seen(side(50, errors=5), side(50, errors=3)), SETTINGS, now=60)
    assert (found.what, "less than 10%" in found.reason) == ("hold", True)


def test_what_was_good_for_long_and_turns_bad_goes_back_as_soon_as_what_is_new() -> None:
    rollout = fresh(stage=4)
    for _ in range(40):
        rollout = counted(rollout, {"read": side(25)}, {"read": side(75)})
    rollout = advanced(rollout, 0.0)
    rollout = counted(rollout, {"read": side(80)}, {"read": side(80, faults=16)})
    assert decide(rollout, SETTINGS, now=1).what == "roll_back"


def test_a_stage_that_no_caller_falls_into_is_passed_by() -> None:
    few, many = seen(Side(), side(999)), seen(Side(), side(1000))
    assert decide(few, SETTINGS, now=60).what == "hold"
    found = decide(many, SETTINGS, now=60)
    assert (found.what, found.reason) == ("promote", "the calls of no caller fall into this stage")


def test_held_by_hand_it_is_still_taken_back() -> None:
    assert decide(seen(side(50), side(950), fresh(held=True)), SETTINGS, now=60).what == "hold"
    assert decide(seen(side(20, faults=20), side(380), fresh(held=True)), SETTINGS, now=60).what == "roll_back"


def test_the_last_stage_is_followed_by_the_end_and_copies_by_the_first() -> None:
    assert decide(seen(side(50), side(50), fresh(stage=5)), SETTINGS, now=60).what == "done"
    shadow = seen(side(50), side(50), fresh(phase=Phase.SHADOW))
    assert decide(shadow, SETTINGS, now=60).what == "promote"
    after = advanced(shadow, 60.0)
    assert (after.phase, after.stage, after.percent, after.since) == (Phase.SHARE, 0, 5, 60.0)


def test_twice_as_slow_goes_back_and_a_tenth_slower_does_not() -> None:
    assert decide(seen(side(40, seconds=0.02), side(760)), SETTINGS, now=1).what == "roll_back"
    assert decide(seen(side(50, seconds=0.011), side(950)), SETTINGS, now=60).what == "promote"


def test_a_side_that_is_slower_because_it_has_more_to_do_is_not_blamed() -> None:
    before = counted(fresh(), {"read": side(400, seconds=0.02)}, {})
    busy = counted(advanced(before, 0.0), {"read": side(20)}, {"read": side(60, seconds=0.02)})
    assert decide(busy, SETTINGS, now=60).what == "promote"


def test_a_mix_of_slow_and_quick_tools_that_differs_between_the_sides_is_no_difference() -> None:
    rollout = counted(
        fresh(),
        {"quick": side(900), "slow": side(50, seconds=2.0, errors=20)},
        {"quick": side(10), "slow": side(60, seconds=2.0, errors=24)},
    )
    found = decide(rollout, SETTINGS, now=60)
    assert found.what == "promote", found
    assert found.numbers.times == pytest.approx(1, abs=0.05)


ENDS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(0, 1), st.floats(0, 1)), max_size=20)


@given(ENDS)
def test_a_wager_forgets_no_call(blocks: Sequence[tuple[int, int, float, float]]) -> None:
    bet, calls, bad = Wager(), 0, 0
    for a, b, share, other in blocks:
        incumbent, newcomer = Counts(a, int(a * share)), Counts(b, int(b * other))
        bet = wager.settled(bet, incumbent, newcomer)
        calls, bad = calls + a + b, bad + incumbent.bad + newcomer.bad
        held = (bet.incumbent, bet.newcomer, *bet.waiting)
        assert all(0 <= each.bad <= each.calls for each in held)
        assert (sum(each.calls for each in held), sum(each.bad for each in held)) == (calls, bad)
        assert all(map(math.isfinite, bet.logs))


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3])
def test_a_bet_on_equals_is_won_no_more_often_than_it_may(rate: float) -> None:
    rng, won, runs = random.Random(1), 0, 400  # noqa: S311 - a simulation
    for _ in range(runs):
        bet = Wager()
        for _ in range(60):
            a, b = (Counts(n, sum(rng.random() < rate for _ in range(n))) for n in (6, 3))
            bet = wager.settled(bet, a, b)
            if wager.evidence([bet]) > math.log(1 / 0.05):
                won += 1
                break
    assert won / runs <= 0.05


def test_the_bound_of_paces_lets_equals_pass_as_often_as_it_may() -> None:
    rng, passed, runs = random.Random(2), 0, 300  # noqa: S311 - a simulation

    def drawn(calls: int) -> Side:
        logs = [rng.gauss(-4, 0.7) for _ in range(calls)]
        return Side(calls=calls, timed=calls, logs=sum(logs), squares=sum(log * log for log in logs))

    for _ in range(runs):
        incumbent, newcomer = Side(), Side()
        for _ in range(40):
            incumbent, newcomer = incumbent.plus(drawn(20)), newcomer.plus(drawn(4))
            found = pace([(incumbent, newcomer)], 1.0)
            if found.answers and found.sigmas > bound(found.answers, 0.05):
                passed += 1
                break
    assert passed / runs <= 0.07  # the bound is an asymptotic one


@pytest.mark.slow
def test_over_whole_ladders_equals_are_let_pass_and_worse_ones_are_found_out_early() -> None:
    """RUNS ladders each, with tools of all kinds; ``benchmarks/rollouts.py`` does more of them."""
    rng = random.Random(3)  # noqa: S311 - a simulation
    equals = [simulated(rng, Worse()) for _ in range(RUNS)]
    assert sum(end.what == "roll_back" for end in equals) <= 0.05 * RUNS
    assert sum(end.what == "done" for end in equals) >= 0.9 * RUNS
    for worse in (Worse(faults=0.08), Worse(times=2)):
        ends = [simulated(rng, worse) for _ in range(RUNS)]
        assert all(end.what == "roll_back" for end in ends)
        assert sum(end.percent < 30 for end in ends) >= 0.9 * RUNS
        assert sum(end.hurt for end in ends) < 0.01 * sum(end.calls for end in ends)
