"""From samples to figures: percentiles, medians over rounds, ratios within a round, and how much to believe. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

QUIET_SPREAD: Final = 1.3
"""Up to here may the same direct call differ between rounds (slowest to fastest) on a machine that counts as quiet."""

QUIET_LOAD: Final = 0.5
"""Up to here may the load average for each CPU be, before the measurement begins, on such a machine."""


class Block(msgspec.Struct, frozen=True):
    """What is measured in one go: texts of ``size`` bytes (0: arguments as given), ``clients`` calls at a time."""

    size: int
    clients: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One block of one round at one subject. Seconds; ``cpu`` is the metered process's, ``None`` if it is unknown."""

    round: int
    subject: str
    block: Block
    calls: int
    seconds: float
    p50: float
    p99: float
    cpu: float | None
    client_cpu: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds if self.seconds else 0.0


class Spread(msgspec.Struct, frozen=True):
    """A figure over the rounds."""

    median: float
    least: float
    most: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One block at one subject, over all rounds: microseconds, calls a second, and ratios to the baseline.

    ``times`` is the ratio of the medians of the calls' durations, ``rate_times`` that of the calls a second, each taken
    within a round. ``cpu`` is per call.
    """

    subject: str
    block: Block
    calls: int
    p50: Spread
    p99: Spread
    rate: Spread
    client_cpu: Spread
    cpu: Spread | None = None
    times: Spread | None = None
    rate_times: Spread | None = None


def percentile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which ``part`` (0 to 1) of the sorted values lie: the nearest one; 0 for none."""
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))] if ordered else 0.0


def spread(values: Sequence[float]) -> Spread:
    """Return median, least and most of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """Return the spread of ``ours / theirs`` over the rounds that have both; ``None`` where there is none."""
    found = [value / theirs[number] for number, value in ours.items() if theirs.get(number)]
    return spread(found) if found else None


def summarize(samples: Sequence[Sample], baselines: Mapping[str, str]) -> list[Figures]:
    """Return the figures of every block at every subject, in the order of the samples.

    ``baselines`` maps a subject to the one it is compared with. A block in which nothing was answered is left out.
    """
    groups: dict[tuple[str, Block], list[Sample]] = {}
    for sample in samples:
        if sample.calls:
            groups.setdefault((sample.subject, sample.block), []).append(sample)
    found = []
    for (subject, block), group in groups.items():
        base = groups.get((baselines.get(subject, ""), block), [])
        cpus = [sample.cpu / sample.calls * 1e6 for sample in group if sample.cpu is not None]
        found.append(
            Figures(
                subject=subject,
                block=block,
                calls=sum(sample.calls for sample in group),
                p50=spread([sample.p50 * 1e6 for sample in group]),
                p99=spread([sample.p99 * 1e6 for sample in group]),
                rate=spread([sample.rate for sample in group]),
                cpu=spread(cpus) if cpus else None,
                client_cpu=spread([sample.client_cpu / sample.calls * 1e6 for sample in group]),
                times=ratios(_by_round(group, "p50"), _by_round(base, "p50")),
                rate_times=ratios(_by_round(group, "rate"), _by_round(base, "rate")),
            )
        )
    return found


def _by_round(samples: Sequence[Sample], value: str) -> dict[int, float]:
    return {sample.round: getattr(sample, value) for sample in samples}


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """How far the figures can be believed; ``load`` is the load average for each CPU before the measurement."""

    quiet: bool
    spread: float
    load: float
    words: str


def judge(figures: Sequence[Figures], direct: Sequence[str], load: float, rounds: int) -> Noise:
    """Say whether the machine was quiet: by how much the direct calls differed between rounds, and by its load."""
    widths = [each.p50.most / each.p50.least for each in figures if each.subject in direct and each.p50.least]
    width = statistics.median(widths) if widths else 1.0
    facts = f"load average {load:.2f} for each CPU before it"
    if rounds < 2 or not widths:
        quiet, words = False, f"one round does not say how noisy the machine was: {facts}"
    else:
        quiet = width <= QUIET_SPREAD and load <= QUIET_LOAD
        facts = f"direct calls differed {width:.1f}-fold between the rounds, {facts}"
        words = f"quiet machine: {facts}" if quiet else f"noisy machine: {facts}; believe ratios and CPU, not times"
    return Noise(quiet=quiet, spread=round(width, 2), load=round(load, 2), words=words)
