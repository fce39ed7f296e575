"""Whether something grows, and when it will have reached its limit. Pure.

The slope is Theil's and Sen's, the median of the slopes between all pairs of points (P. K. Sen, "Estimates of the
Regression Coefficient Based on Kendall's Tau", JASA 63, 1968): up to 29 % of the points may be anything. Whether it is
more than chance says the test of Mann and Kendall (H. B. Mann, "Nonparametric Tests Against Trend", Econometrica 13,
1945; M. G. Kendall, "Rank Correlation Methods", 1975), its variance corrected for ties, and for neighbours being alike:
by the autocorrelation of what the slope leaves over (S. Yue and C. Y. Wang, "The Mann-Kendall Test Modified by
Effective Sample Size", Water Resources Management 18, 2004), here of the first order.

What fills up (a cache) grows less and less: the slope of the newer half counts where it is less. A hundred readings are
condensed to at most twenty medians before, which costs little and takes the noise away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

LEAST_POINTS: Final = 30
_BLOCKS: Final = 20
_SURE: Final = 3.5
"""Standard deviations of Kendall's S under no trend, one-sided: p = 0.00023."""
_LEAST_RISE: Final = 0.05
"""What grows by less of its limit, over all that was seen, does not matter yet."""

_MOST_ALIKE: Final = 0.5
"""So that what only ever rises, by steps, is beyond chance still."""
_ROUNDING: Final = 1e-9
_PLAIN: Final = 0.03
_END: Final = 10
"""Most things do not grow: where the medians of so many points at both ends are that near, no more is looked at."""

Pairs = Sequence[tuple[float, float]]


class Trend(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something grows: by ``slope`` of its unit in a second, and reaches its limit in ``eta`` seconds.

    ``sure`` is how far it is from chance, in standard deviations.
    """

    slope: float
    eta: float
    sure: float


def trend(points: Pairs, limit: float, horizon: float) -> Trend | None:
    """Return what (at, value) points, oldest first, grow like; ``None`` where it is chance, or too slow to matter.

    What will not have reached ``limit`` within ``horizon`` seconds does not matter, and neither what is above it.
    """
    if len(points) < LEAST_POINTS or horizon <= 0 or _level(points[-_END:]) - _level(points[:_END]) < _PLAIN * limit:
        return None
    blocks = _condensed(points)
    slope = min(_slope(blocks), _slope(blocks[len(blocks) // 2 :]))
    level = blocks[-1][1]
    if slope <= 0 or level >= limit or (limit - level) > slope * horizon:
        return None
    if slope * (blocks[-1][0] - blocks[0][0]) < _LEAST_RISE * limit:
        return None
    sure = _kendall(blocks, slope)
    if sure < _SURE:
        return None
    return Trend(slope=slope, eta=(limit - level) / slope, sure=sure)


def _level(points: Pairs) -> float:
    return sorted(value for _, value in points)[len(points) // 2]


def _condensed(points: Pairs) -> list[tuple[float, float]]:
    """Return the medians of at most twenty blocks of as many points each, the newest whole."""
    size = -(-len(points) // _BLOCKS)
    start = len(points) % size
    return [_median_point(points[place : place + size]) for place in range(start, len(points), size)]


def _median_point(block: Pairs) -> tuple[float, float]:
    middle = len(block) // 2
    return sorted(at for at, _ in block)[middle], sorted(value for _, value in block)[middle]


def _slope(points: Pairs) -> float:
    slopes = sorted(
        (value - before) / (at - earlier)
        for place, (at, value) in enumerate(points)
        for earlier, before in points[:place]
        if at > earlier
    )
    if not slopes:
        return 0.0
    middle = len(slopes) // 2
    return slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2


def _kendall(points: Pairs, slope: float) -> float:
    values = [value for _, value in points]
    count = len(values)
    score = sum((value > before) - (value < before) for place, value in enumerate(values) for before in values[:place])
    ties = sum(n * (n - 1) * (2 * n + 5) for n in Counter(values).values() if n > 1)
    variance = (count * (count - 1) * (2 * count + 5) - ties) / 18
    if variance <= 0 or score <= 0:
        return 0.0
    left_over = [value - slope * (at - points[0][0]) for at, value in points]
    alike = min(max(_autocorrelation(left_over), 0.0), _MOST_ALIKE)
    return float((score - 1) / (variance * (1 + alike) / (1 - alike)) ** 0.5)


def _autocorrelation(values: Sequence[float]) -> float:
    """Return how alike neighbours are (lag 1), -1 to 1; 0 where nothing differs."""
    mean = sum(values) / len(values)
    off = [value - mean for value in values]
    whole = sum(each * each for each in off)
    noticeable = whole > len(values) * (_ROUNDING * max(map(abs, values))) ** 2
    return sum(one * other for one, other in pairwise(off)) / whole if noticeable else 0.0
