from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.bench.figures import Block, Figures, Sample, Spread, judge, percentile, ratios, spread, summarize

SMALL, LARGE = Block(100, 1), Block(100, 64)


def sample(
    subject: str, number: int, p50: float, block: Block = SMALL, *, calls: int = 10, cpu: float | None
) -> Sample:
    return Sample(
        round=number,
        subject=subject,
        block=block,
        calls=calls,
        seconds=2.0,
        p50=p50,
        p99=p50 * 2,
        cpu=cpu,
        client_cpu=0.001,
    )


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_grows_with_its_part(values: list[float], part: float) -> None:
    values.sort()
    assert percentile(values, 0) == values[0]
    assert percentile(values, 1) == values[-1]
    assert percentile(values, part) in values
    assert percentile(values, part) <= percentile(values, min(1, part + 0.1))


def test_percentiles_of_known_values() -> None:
    assert percentile(range(101), 0.5) == 50
    assert percentile(range(101), 0.99) == 99
    assert percentile([], 0.5) == 0


@given(st.lists(st.floats(0.1, 10), min_size=1))
def test_a_spread_holds_its_median(values: list[float]) -> None:
    found = spread(values)
    assert min(values) == found.least <= found.median <= found.most == max(values)


def test_ratios_are_taken_within_a_round() -> None:
    # both became ten times slower in the second round: the ratio did not
    assert ratios({0: 30.0, 1: 300.0, 2: 60.0}, {0: 10.0, 1: 100.0}) == Spread(3.0, 3.0, 3.0)
    assert ratios({0: 30.0}, {1: 10.0}) is None
    assert ratios({0: 30.0}, {0: 0.0}) is None


def test_a_summary_compares_like_with_like() -> None:
    samples = [
        sample("direct", 0, 10e-6, cpu=None),
        sample("direct", 1, 20e-6, cpu=None),
        sample("gateway", 0, 30e-6, cpu=400e-6),
        sample("gateway", 1, 80e-6, cpu=600e-6),
        sample("gateway", 1, 5e-6, LARGE, calls=40, cpu=800e-6),
        sample("direct", 1, 5e-6, LARGE, calls=80, cpu=None),
        sample("gateway", 2, 1.0, calls=0, cpu=1.0),
    ]
    direct, gateway, loaded, _ = summarize(samples, {"gateway": "direct", "direct": ""})
    assert (direct.subject, direct.times, direct.cpu) == ("direct", None, None)
    assert gateway.times == Spread(3.5, 3.0, 4.0)
    assert gateway.p50.median == pytest.approx(55)
    assert gateway.cpu is not None
    assert gateway.cpu.median == pytest.approx(50)
    assert gateway.calls == 20
    assert loaded.rate_times == Spread(0.5, 0.5, 0.5)
    assert loaded.rate.median == 20


def test_nothing_answered_gives_no_figures() -> None:
    assert summarize([sample("gateway", 0, 0.0, calls=0, cpu=None)], {}) == []


def figures(least: float, most: float, subject: str = "direct") -> Figures:
    width = Spread(least, least, most)
    return Figures(subject=subject, block=SMALL, calls=1, p50=width, p99=width, rate=width, client_cpu=width)


@pytest.mark.parametrize(
    ("found", "load", "rounds", "quiet", "words"),
    [
        ([figures(10, 11)], 0.1, 5, True, "quiet machine: direct calls differed 1.1-fold"),
        ([figures(10, 20)], 0.1, 5, False, "noisy machine: direct calls differed 2.0-fold"),
        ([figures(10, 11)], 0.9, 5, False, "load average 0.90"),
        ([figures(10, 90, "gateway"), figures(10, 11)], 0.1, 5, True, "quiet"),
        ([figures(10, 10)], 0.1, 1, False, "one round does not say"),
        ([], 0.1, 5, False, "one round does not say"),
    ],
)
def test_noise_is_judged_by_the_direct_calls_and_the_load(
    found: list[Figures], load: float, rounds: int, quiet: bool, words: str
) -> None:
    noise = judge(found, ("direct",), load, rounds)
    assert noise.quiet is quiet
    assert words in noise.words
