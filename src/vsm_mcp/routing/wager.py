"""Is the newcomer's rate of bad ends higher than the incumbent's? A bet, which may be looked at after every call.

A safe test (e-process) of two proportions in blocks: Turner, Ly and Grünwald, "Generic E-variables for exact sequential
k-sample tests that allow for optional stopping" (2021). For a block of ``a`` calls of the incumbent and ``b`` of the
newcomer, bet on the rates ``p < q`` for them against the one rate ``r = (a p + b q) / (a + b)`` for both: what a
stake of 1 becomes is the product over all calls of how likely each end is under the bet, over how likely under ``r``.
If both have one rate, its expected value is at most 1 (by the inequality of arithmetic and geometric means), and less
if the newcomer is better. So it exceeds ``1/alpha`` at any time at all with probability ``alpha`` at most (Ville),
however often one looks.

Each tool is a stratum of its own (it has one rate under the null hypothesis, not that of other tools), and the bets
multiply over tools: a newcomer that is asked for other tools than the incumbent is not confused with a worse one
(Simpson's paradox).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from vsm_mcp.model.rollout import ODDS, Counts, Wager

_PRIOR: Final = Counts(20, 0)
_PRIOR_BAD: Final = 0.2
"""What is believed of a tool before the first call: one in a hundred ends badly."""
_RATIO: Final = 30
"""So many of the incumbent's calls at most are set against each of the newcomer's, so that some are left for later."""


def settled(wager: Wager, incumbent: Counts, newcomer: Counts) -> Wager:
    """Return the wager after more calls of either side; a block is settled once there are calls of both.

    What the rates are bet to be comes from the blocks before alone.
    """
    a, b = _sum(wager.waiting[0], incumbent), _sum(wager.waiting[1], newcomer)
    if not a.calls or not b.calls:
        return Wager(incumbent=wager.incumbent, newcomer=wager.newcomer, waiting=(a, b), logs=wager.logs)
    used = min(a.calls, _RATIO * b.calls)
    # Any part of the incumbent's calls would do, if it is chosen without a look at how they ended.
    taken = Counts(used, min(round(a.bad * used / a.calls), used))
    left = Counts(a.calls - used, min(a.bad - taken.bad, a.calls - used))
    rate = _rate(wager)
    return Wager(
        incumbent=_sum(wager.incumbent, taken),
        newcomer=_sum(wager.newcomer, b),
        waiting=(left, Counts()),
        logs=tuple(log + _gain(rate, more, taken, b) for log, more in zip(wager.logs, ODDS, strict=True)),
    )


def anew(wager: Wager) -> Wager:
    """Return the wager at the begin of a stage: stakes of 1 again, with all that is known about the rates."""
    return Wager(incumbent=wager.incumbent, newcomer=wager.newcomer, waiting=wager.waiting)


def evidence(wagers: Iterable[Wager]) -> float:
    """Return the logarithm of what a stake of 1 has become that was laid on all tools.

    Half of it on all tools being worse by one of the :data:`ODDS`, half, in equal parts, on one tool alone.
    """
    logs = [wager.logs for wager in wagers]
    if not logs:
        return 0.0
    together = _mean([sum(column) for column in zip(*logs, strict=True)])
    alone = _mean([value for each in logs for value in each])
    return _mean([together, alone])


def _rate(wager: Wager) -> float:
    """Return the rate that both sides had so far, as one knows it before the next block."""
    calls = _PRIOR.calls + wager.incumbent.calls + wager.newcomer.calls
    # what the newcomer did badly may be its own: it is not what the incumbent is expected to do
    bad = _PRIOR_BAD + wager.incumbent.bad + min(wager.newcomer.bad, _expected(wager))
    return min(bad / calls, 0.95)


def _expected(wager: Wager) -> float:
    return wager.newcomer.calls * (wager.incumbent.bad + _PRIOR_BAD) / (wager.incumbent.calls + _PRIOR.calls)


def _gain(rate: float, more: float, incumbent: Counts, newcomer: Counts) -> float:
    """Return the logarithm of what a block makes of a stake on ``more`` of the newcomer's calls ending badly."""
    worse = rate + more * (1 - rate)
    calls = incumbent.calls + newcomer.calls
    one = (incumbent.calls * rate + newcomer.calls * worse) / calls
    return _ends(incumbent, rate, one) + _ends(newcomer, worse, one)


def _ends(counts: Counts, bet: float, one: float) -> float:
    good = counts.calls - counts.bad
    return counts.bad * math.log(bet / one) + good * math.log((1 - bet) / (1 - one))


def _mean(logs: list[float]) -> float:
    """Return the logarithm of the mean of what these are logarithms of."""
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(one.calls + other.calls, one.bad + other.bad)
