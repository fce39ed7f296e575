"""How far one source may go on the network. Pure."""

from __future__ import annotations

import msgspec

from vsm_mcp.model.discovery import Discovery
from vsm_mcp.policy.bucket import Rate


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a question.

    ``timeout`` (seconds) bounds it with its ``tries`` and the pauses between them, which begin with ``first_pause``,
    double, and are no longer than ``longest_pause``. ``max_bytes`` bounds the answer as it is read, unpacked;
    ``redirects`` how many are followed. ``rate`` is how often a host is asked. An answer younger than ``keep``
    (seconds) is taken from disk. ``lasting`` says that what is asked for does not go away: where it was once, a host
    that says there is nothing has failed.
    """

    timeout: float = 4.0
    tries: int = 3
    first_pause: float = 0.3
    longest_pause: float = 3.0
    max_bytes: int = 8 * 1024 * 1024
    redirects: int = 4
    rate: Rate = Rate(120, 20)
    keep: float = 3600.0
    lasting: bool = False


def limits_of(settings: Discovery) -> Limits:
    """Return the limits that ``[discovery]`` sets: a source answers with what it has before it is given up."""
    return Limits(
        timeout=settings.source_timeout_seconds * 0.8,
        tries=settings.tries,
        first_pause=settings.pause_seconds,
        longest_pause=10 * settings.pause_seconds,
        max_bytes=settings.max_answer_bytes,
        rate=Rate(settings.requests_per_minute, max(1, int(settings.requests_per_minute / 4))),
        keep=settings.cache_seconds,
    )


def for_need(limits: Limits, settings: Discovery) -> Limits:
    """Return the limits of a question that holds a need: its answer is kept for a shorter time."""
    return msgspec.structs.replace(limits, keep=settings.need_cache_seconds)


def patient(limits: Limits) -> Limits:
    """Return the limits of a question that nobody waits for, and that goes past what is kept."""
    return msgspec.structs.replace(limits, timeout=limits.timeout * 8, keep=-1.0)


def lasting(limits: Limits) -> Limits:
    """Return the limits of a question whose address is part of an API: it does not go away."""
    return msgspec.structs.replace(limits, lasting=True)
