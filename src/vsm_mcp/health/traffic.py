"""What calls of one server said about it since the last look. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.model.ending import FAULTS, Ending
from vsm_mcp.model.proportion import wilson

_ANSWERS: Final = range(Ending.REFUSED + 1)
_HALF_LIFE_SECONDS: Final = 120.0
_SURE: Final = 2.326
"""The one-sided 99 % quantile of the normal distribution."""


class Traffic(msgspec.Struct, frozen=True, gc=False):
    """Calls that ended, by :class:`~vsm_mcp.model.ending.Ending`, and durations of the answered ones by bucket.

    The numbers need not be whole: what is long ago counts less.
    """

    endings: tuple[float, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def calls(self) -> float:
        """How many calls ended in a way that says something: those that clients gave up are left out."""
        return sum(self.endings) - self.of(Ending.GIVEN_UP)

    @property
    def answered(self) -> float:
        """How many calls were answered, whatever the answer said."""
        return sum(self.endings[place] for place in _ANSWERS) if self.endings else 0.0

    @property
    def faults(self) -> float:
        """How many calls ended in a way that speaks against the server; a tool's own error never does."""
        return sum(self.endings[ending] for ending in FAULTS) if self.endings else 0.0

    @property
    def lost(self) -> float:
        """How many calls were not answered in time, or broke off."""
        return self.of(Ending.TIMEOUT) + self.of(Ending.TRANSPORT)

    def of(self, ending: Ending) -> float:
        """Return how many calls ended so."""
        return self.endings[ending] if self.endings else 0.0

    def __add__(self, more: Traffic) -> Traffic:
        if not more.endings or not self.endings:
            return self if self.endings else more
        return Traffic(_sum(self.endings, more.endings), _sum(self.buckets, more.buckets))

    def faded(self, seconds: float) -> Traffic:
        """Return what it counts for after so long: half after two minutes."""
        if not self.endings:
            return self
        kept = 0.5 ** (max(seconds, 0.0) / _HALF_LIFE_SECONDS)
        return Traffic(tuple(kept * each for each in self.endings), tuple(kept * each for each in self.buckets))


NONE: Final = Traffic()


def quantile(buckets: Sequence[float], bounds: Sequence[float], share: float) -> float | None:
    """Return the duration (seconds) below which ``share`` of the answers lie, even within a bucket; ``None`` of none.

    ``bounds`` are the upper bounds of the buckets; what is longer than all counts as the last of them.
    """
    wanted = share * sum(buckets)
    if wanted <= 0:
        return None
    passed = 0.0
    for place, count in enumerate(buckets):
        if count and passed + count >= wanted:
            if place >= len(bounds):
                return bounds[-1]
            low = bounds[place - 1] if place else 0.0
            return low + (bounds[place] - low) * (wanted - passed) / count
        passed += count
    return bounds[-1]


def surely_above(faults: float, calls: float) -> float:
    """Return the share of faults that is surely reached: Wilson's lower bound, one-sided, 99 %."""
    return max(wilson(min(faults / calls, 1.0), calls, _SURE)[0], 0.0) if calls > 0 else 0.0


def _sum(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
