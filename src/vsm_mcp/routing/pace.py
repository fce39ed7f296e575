"""Is the newcomer slower than the incumbent? Means of logarithms of durations, within each tool, then put together.

Within a tool the difference of the means of ``log(seconds + 1 ms)`` is the logarithm of how many times as slow the
newcomer is; differences far below a millisecond do not show. Its variance is Welch's, without the assumption that
both sides vary alike. Tools are put together with the inverse of the variance as their weight, so that a mix of fast
and slow tools which differs between the sides does not matter (Simpson's paradox). The bound holds for looking as
often as one likes: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences" (2024), one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from vsm_mcp.model.rollout import Side

LEAST: Final = 8
"""So many timed answers of each side at least make a tool count: below, nobody knows how much it varies."""
_TIGHTEST: Final = 40.0
"""After about so many answers the bound is as tight as it can be."""
_LEAST_DEVIATION: Final = 0.05
"""Of the logarithm: a server that always takes the same time to a twentieth is believed no more than that."""


class Pace(NamedTuple):
    """How many times as slow the newcomer is (``times``), how sure that is, and on how many of its answers it rests.

    ``sigmas`` is how far the logarithm of it lies above that of what is tolerated, in standard errors.
    """

    times: float = 1.0
    sigmas: float = 0.0
    answers: int = 0


def pace(pairs: Iterable[tuple[Side, Side]], tolerated: float) -> Pace:
    """Compare the sides (incumbent, newcomer), one pair a tool; ``tolerated`` times as slow is as good."""
    weights = total = 0.0
    answers = 0
    for incumbent, newcomer in pairs:
        if min(incumbent.timed, newcomer.timed) < LEAST:
            continue
        weight = 1 / (_variance(incumbent) / incumbent.timed + _variance(newcomer) / newcomer.timed)
        weights += weight
        total += weight * (newcomer.logs / newcomer.timed - incumbent.logs / incumbent.timed)
        answers += newcomer.timed
    if not answers:
        return Pace()
    mean = total / weights
    return Pace(math.exp(mean), (mean - math.log(tolerated)) * math.sqrt(weights), answers)


def bound(answers: int, alpha: float) -> float:
    """Return how many standard errors a mean of equals exceeds at any time with probability ``alpha`` at most."""
    tight = -2 * math.log(2 * alpha)
    scale = answers / _TIGHTEST * (tight + math.log(max(tight, 0.0) + 1))
    return math.sqrt(2 * (scale + 1) / scale * math.log(math.sqrt(scale + 1) / (2 * alpha) + 1))


def _variance(side: Side) -> float:
    mean = side.logs / side.timed
    found = (side.squares - side.timed * mean * mean) / (side.timed - 1)
    return max(found, _LEAST_DEVIATION**2)
