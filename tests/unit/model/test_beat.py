"""What is done every so often is done together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.beat import until_beat

EVERY = st.floats(0.01, 3600)
NOW = st.floats(0, 1e7)


@given(EVERY, NOW)
def test_a_beat_is_neither_at_once_nor_much_later(every: float, now: float) -> None:
    assert 0.099 * every <= until_beat(every, now) <= 1.101 * every


@given(st.sampled_from([0.5, 1.0, 2.0, 5.0]), NOW, st.floats(0, 100))
def test_all_who_wait_for_the_same_beat_wake_together(every: float, one: float, apart: float) -> None:
    late = one + apart + 2 * every
    for began in (one, one + apart):
        now = began
        while now < late:
            now += until_beat(every, now)
        assert round(now / every, 3) % 1 == 0
