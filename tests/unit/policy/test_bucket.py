from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.policy.bucket import Bucket, Rate, full, take

RATES = st.builds(Rate, st.floats(0.01, 100_000), st.integers(1, 1000))
PAUSES = st.lists(st.floats(0, 600), min_size=1, max_size=60)


@given(RATES, PAUSES)
def test_never_more_than_the_burst_and_what_time_brings(rate: Rate, pauses: list[float]) -> None:
    now, bucket, passed = 0.0, full(rate, 0.0), 0
    for pause in pauses:
        now += pause
        bucket, wait = take(bucket, rate, now)
        passed += wait == 0
        assert passed <= rate.burst + now * rate.per_minute / 60 + 1e-6
        assert 0 <= bucket.tokens <= rate.burst


@given(RATES, PAUSES)
def test_who_waits_as_long_as_was_said_is_served(rate: Rate, pauses: list[float]) -> None:
    now, bucket = 0.0, full(rate, 0.0)
    for pause in pauses:
        now += pause
        bucket, wait = take(bucket, rate, now)
        assert wait >= 0
        if wait:
            now += wait
            bucket, again = take(bucket, rate, now)
            assert again == 0


@given(RATES)
def test_a_burst_passes_at_once_and_no_more(rate: Rate) -> None:
    bucket = full(rate, 5.0)
    for _ in range(rate.burst):
        bucket, wait = take(bucket, rate, 5.0)
        assert wait == 0
    assert take(bucket, rate, 5.0)[1] > 0


@given(RATES, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing(rate: Rate, at: float, back: float) -> None:
    before = Bucket(0.0, at)
    after, wait = take(before, rate, at - back)
    assert wait > 0
    assert after == before
