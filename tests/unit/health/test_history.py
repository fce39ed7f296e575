"""A hundred looks, no more, in little memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.health.check import Reading, unavailable
from vsm_mcp.health.history import LENGTH, History
from vsm_mcp.model.finding import CheckStatus


def measured(value: float, basis: str = "calls") -> Reading:
    return Reading(status=CheckStatus.PASS, value=value, basis=basis)


def added(history: History, at: float, reading: Reading) -> None:
    history.add(at, {"other": unavailable("it never looks"), "one": reading})


@given(st.lists(st.floats(0, 1000, width=32), max_size=350))
def test_it_is_a_ring(values: list[float]) -> None:
    history = History()
    for number, value in enumerate(values):
        added(history, float(number), measured(value))
    kept = list(enumerate(values))[-LENGTH:]
    assert (len(history), history.looks) == (len(kept), len(values))
    if values:
        assert [(point.at, point.value) for point in history.points("one")] == [(at, round(v, 6)) for at, v in kept]
        assert history.measured("one") == [(float(at), value) for at, value in kept]
        assert history.measured("other") == []
        assert {point.status for point in history.points("other")} == {"unavailable"}


def test_another_basis_is_another_series() -> None:
    history = History()
    for number in range(5):
        added(history, float(number), measured(1.0, "question"))
    for number in range(5, 8):
        added(history, float(number), measured(2.0))
    assert [value for _, value in history.measured("one")] == [2.0] * 3
    added(history, 8.0, unavailable("nobody could look"))
    assert len(history.measured("one")) == 3
    assert [point.status for point in history.points("one")][-1] == "unavailable"


def test_a_new_process_begins_anew() -> None:
    history = History()
    for number in range(40):
        added(history, float(number), measured(1.0))
    history.afresh()
    added(history, 41.0, measured(3.0))
    assert history.measured("one") == [(41.0, 3.0)]
    assert len(history.shown()["one"]) == 41
    assert len(history.shown(5)["one"]) == 5


def test_other_checks_begin_another_history() -> None:
    history = History()
    added(history, 1.0, measured(1.0))
    history.add(2.0, {"two": measured(2.0)})
    assert (history.names, len(history), history.looks) == (("two",), 1, 2)
    assert history.measured("two") == [(2.0, 2.0)]


def test_it_is_small() -> None:
    history = History()
    for number in range(3 * LENGTH):
        history.add(float(number), {str(name): measured(float(number)) for name in range(5)})
    parts = (history, history._times, history._values, history._codes)
    assert sum(map(sys.getsizeof, parts)) < 5000
