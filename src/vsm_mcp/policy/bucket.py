"""The token bucket: how many may come in a while, and how many at once. Pure; ``now`` is any steady clock's seconds."""

from __future__ import annotations

from typing import Final

import msgspec

_ENOUGH: Final = 1 - 1e-9
"""A whole token, less what rounding takes away: who waited as long as was said is not told to wait again."""


class Rate(msgspec.Struct, frozen=True):
    """``per_minute`` in the long run (above 0), ``burst`` at once (at least 1)."""

    per_minute: float
    burst: int


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """How many ``tokens`` there were at a moment."""

    tokens: float
    at: float


def full(rate: Rate, now: float) -> Bucket:
    """Return the bucket of somebody new."""
    return Bucket(float(rate.burst), now)


def take(bucket: Bucket, rate: Rate, now: float) -> tuple[Bucket, float]:
    """Take a token: the bucket afterwards, and 0, or else the seconds until there will be one.

    A clock that goes back gives no tokens and takes none away.
    """
    tokens, at = _filled(bucket, rate, now)
    if tokens >= _ENOUGH:
        return Bucket(max(0.0, tokens - 1), at), 0.0
    return Bucket(tokens, at), (1 - tokens) * 60 / rate.per_minute


def reserve(bucket: Bucket, rate: Rate, now: float) -> tuple[Bucket, float]:
    """Take a token, owed where there is none: the bucket afterwards, and the seconds until it is there."""
    tokens, at = _filled(bucket, rate, now)
    return Bucket(tokens - 1, at), max((1 - tokens) * 60 / rate.per_minute, 0.0)


def _filled(bucket: Bucket, rate: Rate, now: float) -> tuple[float, float]:
    """Return the tokens there are, and as of when."""
    at = max(now, bucket.at)
    return min(float(rate.burst), bucket.tokens + (at - bucket.at) * rate.per_minute / 60), at
