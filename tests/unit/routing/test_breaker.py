from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.ending import Ending
from vsm_mcp.routing.breaker import OPENING, Breaker, Fault, Rules, State

RULES = Rules()


def fault(now: float, answered: int = 0, ending: Ending = Ending.TRANSPORT, **more: float) -> Fault:
    return Fault(ending=ending, began=more.pop("began", now), now=now, answered=answered, **more)


def opened(at: float = 0.0, rules: Rules = RULES) -> Breaker:
    breaker = Breaker(rules)
    for number in range(rules.in_a_row):
        breaker.failed(fault(at + number * 1e-3))
    assert breaker.state is State.OPEN
    return breaker


def test_a_few_faults_in_a_row_open_it() -> None:
    breaker = Breaker(RULES)
    assert [breaker.failed(fault(float(now))) for now in range(5)] == [False] * 4 + [True]
    assert not breaker.admit(4.5)
    assert breaker.refused == 1


def test_an_answer_in_between_begins_the_row_anew() -> None:
    breaker = Breaker(RULES)
    for now in range(4):
        breaker.failed(fault(float(now), answered=0))
    assert not any(breaker.failed(fault(float(now), answered=1)) for now in range(4, 8))
    assert breaker.failed(fault(8.0, answered=1))


def test_the_rate_counts_among_enough_calls() -> None:
    """Five of nine is a bad rate, but of too few calls; the tenth call tells."""
    breaker = Breaker(RULES)
    assert not any(breaker.failed(fault(float(now), answered=now)) for now in range(5))
    assert breaker.failed(fault(5.0, answered=5)) is True


def test_a_low_rate_never_opens_it() -> None:
    breaker = Breaker(RULES)
    assert not any(breaker.failed(fault(now / 10, answered=now * 3)) for now in range(1000))


def test_of_calls_that_one_crash_cut_off_one_counts() -> None:
    breaker = Breaker(RULES)
    assert not any(breaker.failed(fault(1.0 + number / 1000, began=0.5)) for number in range(64))
    assert breaker.state is State.CLOSED


def test_calls_that_time_out_count_each_for_itself() -> None:
    breaker = Breaker(RULES)
    told = [breaker.failed(fault(60.0 + number / 1000, ending=Ending.TIMEOUT, began=0.0)) for number in range(5)]
    assert told == [False] * 4 + [True]


def test_what_is_past_its_window_does_not_count() -> None:
    breaker = Breaker(RULES)
    assert not any(breaker.failed(fault(now * 31.0)) for now in range(50))


def test_a_quota_opens_it_at_once_for_as_long_as_the_server_asks() -> None:
    breaker = Breaker(RULES)
    assert breaker.failed(fault(10.0, ending=Ending.QUOTA, after=42.0))
    assert breaker.seconds(10.0) == 42.0
    assert not breaker.admit(51.9)
    assert breaker.admit(52.0)


def test_a_quota_is_bounded_whatever_the_server_asks() -> None:
    breaker = Breaker(RULES)
    breaker.failed(fault(0.0, ending=Ending.QUOTA, after=1e9))
    assert breaker.seconds(0.0) == RULES.quota_longest


def test_who_is_not_let_in_three_times_is_left_alone() -> None:
    breaker = Breaker(RULES)
    assert [breaker.failed(fault(float(now), ending=Ending.AUTH)) for now in range(3)] == [False, False, True]


def test_a_probe_that_is_answered_closes_it() -> None:
    breaker = opened()
    assert breaker.admit(2.0)
    assert breaker.state is State.HALF_OPEN
    assert not breaker.admit(2.0), "one at a time"
    assert breaker.tried(2.0, 2.1, answered=True)
    assert all(breaker.admit(2.2) for _ in range(9))


def test_a_probe_that_fails_opens_it_for_twice_as_long() -> None:
    breaker = opened()
    first = breaker.until - breaker.since
    assert breaker.admit(2.0)
    breaker.tried(2.0, 2.1, answered=False)
    assert breaker.failed(fault(2.1, began=2.05))
    assert breaker.until - breaker.since == pytest.approx(2 * first)


def test_a_call_from_before_says_nothing_about_a_half_open_one() -> None:
    breaker = opened()
    assert breaker.admit(2.0)
    assert not breaker.failed(fault(2.1, began=0.0))
    assert breaker.state is State.HALF_OPEN


def test_a_probe_that_never_comes_back_makes_room_for_another() -> None:
    breaker = opened()
    assert breaker.admit(2.0)
    assert not breaker.admit(100.0)
    assert breaker.admit(2.0 + RULES.probe_seconds)


def test_a_probe_that_was_given_up_makes_room_at_once() -> None:
    breaker = opened()
    assert breaker.admit(2.0)
    assert not breaker.tried(2.0, 2.5, answered=False)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit(2.6)


def test_news_of_a_start_lets_the_next_call_through() -> None:
    breaker = opened()
    breaker.look_again(0.1)
    assert breaker.admit(0.1)


def test_chance_takes_up_to_a_quarter_away() -> None:
    lengths = []
    for chance in (0.0, 0.5, 1.0, 7.0):
        breaker = Breaker(RULES)
        for number in range(5):
            breaker.failed(fault(float(number)), chance)
        lengths.append(breaker.until - breaker.since)
    assert lengths == [1.0, 0.875, 0.75, 0.75]


def test_it_can_be_forgotten_once_it_was_well_for_long() -> None:
    breaker = opened()
    breaker.admit(2.0)
    breaker.tried(2.0, 2.0, answered=True)
    assert not breaker.idle(3.0)
    assert breaker.idle(2.0 + RULES.calm)


steps = st.lists(
    st.tuples(
        st.floats(0.0, 20.0),  # seconds that pass
        st.sampled_from(list(Ending)),
        st.floats(0.0, 30.0),  # how long the call took
        st.floats(0.0, 1.0),
    ),
    max_size=120,
)


@given(steps)
def test_only_what_speaks_against_a_server_opens_it(events: list[tuple[float, Ending, float, float]]) -> None:
    breaker, now = Breaker(RULES), 0.0
    for passed, ending, _, chance in events:
        now += passed
        if ending not in OPENING:
            assert not breaker.failed(fault(now, ending=ending), chance)
    assert breaker.state is State.CLOSED
    assert breaker.admit(now)


@given(steps)
def test_it_always_gets_a_probe_in_the_end_and_never_more_at_a_time(
    events: list[tuple[float, Ending, float, float]],
) -> None:
    breaker, now, answered = Breaker(RULES), 0.0, 0
    running: list[float] = []
    for passed, ending, took, chance in events:
        now += passed
        was_closed = breaker.state is State.CLOSED
        if breaker.admit(now):
            if not was_closed:
                running.append(now)
            if ending <= Ending.REFUSED:
                answered += 1
                breaker.tried(now, now + took, answered=True)
            elif ending is not Ending.GIVEN_UP:
                breaker.tried(now, now + took, answered=False)
                breaker.failed(fault(now + took, answered, ending, began=now), chance)
            else:
                continue  # it is still on its way
            if not was_closed:
                running.pop()
        running = [began for began in running if now - began < RULES.probe_seconds]
        if breaker.state is State.HALF_OPEN:
            assert len(running) <= RULES.probes
    longest = max(RULES.longest, RULES.quota_longest) + RULES.probe_seconds
    assert breaker.admit(now + 30.0 + longest)


@given(st.floats(0.5, 3.0), st.integers(1, 40))
def test_a_server_that_always_fails_is_tried_less_and_less_often(every: float, times: int) -> None:
    """No flapping without bound: however often it is asked, the openings grow apart up to the longest time."""
    breaker, now, openings = Breaker(RULES), 0.0, []
    for _ in range(times * 100):
        now += every
        if breaker.admit(now):
            breaker.tried(now, now, answered=False)
            if breaker.failed(fault(now)):
                openings.append(now)
    apart = [later - earlier for earlier, later in itertools.pairwise(openings)]
    assert all(gap >= min(RULES.shortest * 2.0**number, RULES.longest) for number, gap in enumerate(apart))


@given(st.lists(st.booleans(), min_size=200, max_size=400))
def test_a_server_that_comes_and_goes_opens_it_a_bounded_number_of_times(well: list[bool]) -> None:
    """Each opening lasts twice as long as the one before, up to a minute, until it was well for the calm time."""
    breaker, now, openings, answered = Breaker(RULES), 0.0, 0, 0
    for is_well in well:
        now += 1.0
        if not breaker.admit(now):
            continue
        if is_well:
            answered += 1
            breaker.tried(now, now, answered=True)
        else:
            breaker.tried(now, now, answered=False)
            openings += breaker.failed(fault(now, answered))
    assert openings <= 7 * (1 + len(well) / RULES.calm)


@pytest.mark.parametrize("ending", sorted(OPENING))
def test_everything_that_opens_it_has_a_name(ending: Ending) -> None:
    breaker = Breaker(RULES)
    for number in range(20):
        breaker.failed(fault(float(number), ending=ending))
    assert breaker.state is State.OPEN
    assert breaker.ending is ending
