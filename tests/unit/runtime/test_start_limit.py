"""The fleet's limit of restarts: no storm, whatever happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.events import Event, RestartsHeld
from vsm_mcp.policy.bucket import Rate, full, reserve
from vsm_mcp.runtime.start_limit import StartLimit

rates = st.builds(Rate, per_minute=st.floats(1, 600), burst=st.integers(1, 50))
gaps = st.lists(st.floats(0, 30), max_size=200)


@given(rates, gaps, st.floats(1, 300))
def test_there_are_never_more_in_any_stretch_of_time(rate: Rate, waits: list[float], stretch: float) -> None:
    bucket, now, starts = full(rate, 0.0), 0.0, []
    for gap in waits:
        now += gap
        bucket, wait = reserve(bucket, rate, now)
        assert wait >= 0
        starts.append(now + wait)
    assert starts == sorted(starts)  # first come, first served
    most = rate.burst + rate.per_minute * stretch / 60
    for first in starts:
        assert sum(first <= each <= first + stretch for each in starts) <= most + 1 + 1e-6


def test_a_clock_that_goes_back_changes_nothing() -> None:
    rate = Rate(60, 2)
    bucket, _ = reserve(full(rate, 100.0), rate, 100.0)
    again, wait = reserve(bucket, rate, 5.0)
    assert (again.at, again.tokens, wait) == (100.0, 0.0, 0.0)


def test_two_ways_of_asking_share_it() -> None:
    now, told = [0.0], list[Event]()
    limit = StartLimit(Rate(60, 2), lambda: now[0], told.append)
    assert limit.free()
    assert limit.turn() == 0
    assert told == []
    assert not limit.free()
    assert limit.turn() == 1.0  # who waits, waits once
    assert limit.turn() == 2.0
    assert len(told) == 1
    assert isinstance(told[0], RestartsHeld)
    assert (limit.state().waited, limit.state().waiting) == (2, 3.0)
    now[0] = 2.5
    assert not limit.free()
    now[0] = 3.0
    assert limit.free()
    limit.configure(Rate(600, 2))
    assert limit.state().per_minute == 600
    now[0] = 100.0
    assert limit.turn() == 0
    now[0] = 200.0
    for _ in range(4):
        limit.turn()
    assert len(told) == 2
