"""Everybody in turn, and never all at once."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.health.schedule import Schedule, pause


def test_ten_thousand_are_spread_evenly_and_stay_so() -> None:
    chance, schedule, counts = random.Random(1), Schedule(), Counter[int]()  # noqa: S311
    for number in range(10_000):
        schedule.put(str(number), 30 * chance.random())
    for second in range(1, 1801):
        for name in schedule.pop(float(second)):
            counts[second] += 1
            schedule.put(name, second + pause(30.0, chance.random()))
    settled = [counts[second] for second in range(60, 1801)]
    assert max(settled) < 420  # the mean is 340 (of 30 s, and half a second until the next tick)
    assert min(settled) > 260


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 100), st.sampled_from("pdh"))))
def test_it_does_what_a_table_would(steps: list[tuple[str, float, str]]) -> None:
    schedule, table = Schedule(), dict[str, float]()
    for name, at, what in steps:
        if what == "p":
            schedule.put(name, at)
            table[name] = at
        elif what == "d":
            schedule.drop(name)
            table.pop(name, None)
        else:
            schedule.hasten(name, at)
            if name in table:
                table[name] = min(table[name], at)
        assert (len(schedule), schedule.next()) == (len(table), min(table.values(), default=None))
    due = {name for name, at in table.items() if at <= 50}
    assert set(schedule.pop(50.0)) == due
    assert all((name in schedule) == (name not in due) for name in table)


def test_a_tenth_more_or_less() -> None:
    assert [round(pause(30.0, jitter), 6) for jitter in (-1, 0, 0.5, 1, 2)] == [27, 27, 30, 33, 33]


def test_what_is_put_again_and_again_takes_no_more_room() -> None:
    schedule = Schedule()
    for number in range(10_000):
        schedule.put("a", float(number))
    assert len(schedule._heap) < 100
    assert schedule.pop(1e9) == ["a"]
