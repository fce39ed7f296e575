"""The restart policy, by property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.launch import RestartPolicy
from vsm_mcp.runtime.restart import LONGEST_SECONDS, Failure, GiveUp, Leave, Limits, Restart, decide, remember

limits_of = st.builds(Limits, count=st.integers(1, 20), period=st.floats(1, 1000))
gaps = st.lists(st.tuples(st.floats(0, 500), st.booleans()), min_size=1, max_size=40)


def history_of(steps: list[tuple[float, bool]]) -> tuple[tuple[Failure, ...], float]:
    at, found = 0.0, []
    for gap, ready in steps:
        at += gap
        found.append(Failure(at, ready))
    return tuple(found), at


def test_delays_double() -> None:
    limits = Limits(count=8, period=1000)
    failures = tuple(Failure(float(n), ready=True) for n in range(8))
    delays = [decide(failures[: n + 1], float(n), limits) for n in range(8)]
    assert delays == [Restart(float(seconds)) for seconds in (1, 2, 4, 8, 16, 32, 60, 60)]


def test_gives_up_after_too_many_in_the_period() -> None:
    limits = Limits(count=2, period=60)
    failures = tuple(Failure(float(n), ready=True) for n in range(3))
    assert isinstance(decide(failures[:2], 1.0, limits), Restart)
    verdict = decide(failures, 2.0, limits)
    assert isinstance(verdict, GiveUp)
    assert "3 times in 60 s" in verdict.reason
    assert decide(failures, 61.5, limits) == Restart(1.0)


def test_gives_up_on_a_server_that_needs_longer_than_the_period_to_fail() -> None:
    failures = tuple(Failure(n * 100.0, ready=False) for n in range(4))
    verdict = decide(failures, 300.0, Limits(count=3, period=60))
    assert isinstance(verdict, GiveUp)
    assert "in a row" in verdict.reason
    was_up = (*failures[:3], Failure(300.0, ready=True))
    assert decide(was_up, 300.0, Limits(count=3, period=60)) == Restart(1.0)


@given(gaps, limits_of, st.floats(-1, 2))
def test_a_delay_is_never_long_and_never_none(steps: list[tuple[float, bool]], limits: Limits, jitter: float) -> None:
    history, now = history_of(steps)
    verdict = decide(history, now, limits, jitter)
    if isinstance(verdict, Restart):
        assert 0.75 <= verdict.delay <= LONGEST_SECONDS
    else:
        assert len(history) > limits.count


@given(gaps, limits_of)
def test_more_than_the_limit_in_the_period_is_always_given_up(steps: list[tuple[float, bool]], limits: Limits) -> None:
    history, now = history_of(steps)
    recent = [failure for failure in history if now - failure.at < limits.period]
    if len(recent) > limits.count:
        assert isinstance(decide(history, now, limits), GiveUp)


@given(gaps, limits_of)
def test_what_is_forgotten_does_not_matter(steps: list[tuple[float, bool]], limits: Limits) -> None:
    history, now = history_of(steps)
    kept: tuple[Failure, ...] = ()
    for failure in history:
        kept = remember(kept, failure, limits)
    assert len(kept) <= limits.count + 2
    assert type(decide(kept, now, limits)) is type(decide(history, now, limits))


@given(gaps, limits_of, st.floats(0, 1))
def test_jitter_only_shortens_by_a_quarter(steps: list[tuple[float, bool]], limits: Limits, jitter: float) -> None:
    history, now = history_of(steps)
    plain, shaken = decide(history, now, limits), decide(history, now, limits, jitter)
    if isinstance(plain, Restart):
        assert isinstance(shaken, Restart)
        assert 0.75 * plain.delay <= shaken.delay <= plain.delay


def test_a_transient_server_that_ended_well_is_left_in_peace() -> None:
    well, badly = Failure(0.0, ready=True, clean=True), Failure(0.0, ready=True, clean=False)
    never_up = Failure(0.0, ready=False, clean=True)
    verdicts = [decide([end], 0.0, Limits(), policy=RestartPolicy.TRANSIENT) for end in (well, badly, never_up)]
    assert [type(verdict) for verdict in verdicts] == [Leave, Restart, Restart]
    assert isinstance(decide([well], 0.0, Limits()), Restart)  # a permanent one is needed, however it ended


@given(gaps, limits_of, st.booleans())
def test_a_temporary_server_is_never_restarted_nor_given_up(
    steps: list[tuple[float, bool]], limits: Limits, clean: bool
) -> None:
    history, now = history_of(steps)
    last = Failure(history[-1].at, history[-1].ready, clean=clean)
    assert isinstance(decide((*history[:-1], last), now, limits, policy=RestartPolicy.TEMPORARY), Leave)


@given(gaps, limits_of, st.floats(0, 1))
def test_a_transient_server_that_ends_badly_is_treated_as_a_permanent_one(
    steps: list[tuple[float, bool]], limits: Limits, jitter: float
) -> None:
    history, now = history_of(steps)
    verdict = decide(history, now, limits, jitter, RestartPolicy.TRANSIENT)
    assert verdict == decide(history, now, limits, jitter, RestartPolicy.PERMANENT)


@given(gaps, limits_of, st.floats(0, 1000), st.booleans())
def test_lasting_health_makes_good_for_what_was_before(
    steps: list[tuple[float, bool]], limits: Limits, more: float, clean: bool
) -> None:
    history, now = history_of(steps)
    lasting = Failure(now, ready=True, lasted=limits.period + more, clean=clean)
    kept = remember(history, lasting, limits)
    assert kept == (lasting,)
    assert decide(kept, now, limits) == Restart(1.0)


@given(gaps, limits_of, st.floats(0, 0.99))
def test_health_that_did_not_last_makes_good_for_nothing(
    steps: list[tuple[float, bool]], limits: Limits, share: float
) -> None:
    history, now = history_of(steps)
    short = Failure(now, ready=True, lasted=limits.period * share)
    assert remember(history, short, limits)[:-1] == tuple(history[-(limits.count + 1) :])
