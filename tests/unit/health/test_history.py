"""A hundred looks, no more, in little memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.health.check import Reading, unavailable
from vsm_mcp.health.history import LENGTH, History, Series
from vsm_mcp.model.finding import CheckStatus


def measured(value: float, basis: str = "calls") -> Reading:
    return Reading(status=CheckStatus.PASS, value=value, basis=basis)


@given(st.lists(st.floats(0, 1000, width=32), max_size=350))
def test_it_is_a_ring(values: list[float]) -> None:
    series = Series()
    for number, value in enumerate(values):
        series.add(float(number), measured(value))
    kept = list(enumerate(values))[-LENGTH:]
    assert [(point.at, point.value) for point in series.points()] == [(at, round(value, 6)) for at, value in kept]
    assert series.measured() == [(float(at), value) for at, value in kept]
    assert len(series) == len(kept)


def test_another_basis_is_another_series() -> None:
    series = Series()
    for number in range(5):
        series.add(float(number), measured(1.0, "question"))
    for number in range(5, 8):
        series.add(float(number), measured(2.0))
    assert [value for _, value in series.measured()] == [2.0] * 3
    series.add(8.0, unavailable("nobody could look"))
    assert len(series.measured()) == 3
    assert [point.status for point in series.points()][-1] == "unavailable"


def test_a_new_process_begins_anew() -> None:
    history = History()
    for number in range(40):
        history.add(float(number), {"one": measured(1.0)})
    history.afresh()
    history.add(41.0, {"one": measured(3.0)})
    assert history.series["one"].measured() == [(41.0, 3.0)]
    assert len(history.shown()["one"]) == 41
    assert len(history.shown(5)["one"]) == 5


def test_it_is_small() -> None:
    series = Series()
    for number in range(3 * LENGTH):
        series.add(float(number), measured(float(number)))
    parts = (series, series._times, series._values, series._codes)
    assert sum(map(sys.getsizeof, parts)) < 2500
