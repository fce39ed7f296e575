"""What calls said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.health.traffic import NONE, Traffic, quantile, surely_above
from vsm_mcp.model.ending import Ending

BOUNDS = (0.1, 1.0, 10.0)


def of(**counts: int) -> Traffic:
    endings = tuple(float(counts.get(ending.name.lower(), 0)) for ending in Ending)
    return Traffic(endings, (0.0,) * 4)


def test_a_tools_own_error_is_no_fault() -> None:
    traffic = of(answered=3, tool_error=4, refused=1, timeout=1, given_up=5)
    assert (traffic.calls, traffic.answered, traffic.faults, traffic.lost) == (9, 8, 1, 1)


def test_nothing_and_something() -> None:
    some = of(answered=2)
    assert NONE + some == some + NONE == some
    assert (some + some).answered == 4
    assert (NONE.calls, NONE.faults, NONE.lost, NONE.faded(5.0)) == (0, 0, 0, NONE)


def test_what_is_long_ago_counts_less() -> None:
    assert of(answered=8).faded(120.0).answered == pytest.approx(4)
    assert of(answered=8).faded(-5.0).answered == 8  # the clock was set back


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ((0, 0, 0, 0), 0.95, None),
        ((10, 0, 0, 0), 0.5, 0.05),
        ((5, 5, 0, 0), 0.5, 0.1),
        ((0, 10, 0, 0), 1.0, 1.0),
        ((9, 0, 0, 1), 0.95, 10.0),
    ],
)
def test_quantiles(buckets: tuple[float, ...], share: float, seconds: float | None) -> None:
    assert quantile(buckets, BOUNDS, share) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("faults", "calls", "sure"), [(1, 1, 0.156), (3, 3, 0.357), (8, 100, 0.037), (50, 100, 0.386)])
def test_what_is_sure(faults: float, calls: float, sure: float) -> None:
    assert surely_above(faults, calls) == pytest.approx(sure, abs=0.01)


@given(st.floats(0, 1), st.floats(0.01, 1e6))
def test_it_is_never_more_than_what_was_seen(share: float, calls: float) -> None:
    assert 0 <= surely_above(share * calls, calls) <= share + 1e-9
    assert surely_above(0, 0) == 0
