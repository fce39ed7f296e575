"""When a failed server is started again, and when not any more. Pure.

The policies and the intensity limit are Erlang's (``supervisor``: at most ``count`` restarts in ``period`` seconds).
The limit covers servers too that need longer than the period to fail: as many starts in a row that never came up count
the same. Who was up for a whole period has made good for what was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.model.launch import RestartPolicy

LONGEST_SECONDS: Final = 60.0
SHORTEST_SECONDS: Final = 1.0


class Failure(msgspec.Struct, frozen=True):
    """A process ended by itself, at ``at`` (seconds); ``ready`` says whether it had come up before.

    ``lasted`` is for how many seconds it was up then, ``clean`` whether it ended with exit code 0.
    """

    at: float
    ready: bool
    lasted: float = 0.0
    clean: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``count`` restarts in ``period`` seconds."""

    count: int = 5
    period: float = 60.0


class Restart(msgspec.Struct, frozen=True):
    """Start it again after ``delay`` seconds."""

    delay: float


class Leave(msgspec.Struct, frozen=True):
    """Leave it down, as its policy says, until somebody needs it; ``reason`` is a clause for a person."""

    reason: str


class GiveUp(msgspec.Struct, frozen=True):
    """Leave it down until a person starts it; ``reason`` is a clause for a person."""

    reason: str


Verdict = Restart | Leave | GiveUp


def decide(
    history: Sequence[Failure],
    now: float,
    limits: Limits,
    jitter: float = 0.0,
    policy: RestartPolicy = RestartPolicy.PERMANENT,
) -> Verdict:
    """Return what to do after the last failure of ``history`` (oldest first).

    The delay doubles from 1 s to 60 s; ``jitter`` (0 to 1) takes up to a quarter of it away, so that servers that
    failed together do not start together.
    """
    if policy is RestartPolicy.TEMPORARY:
        return Leave("its restart policy is temporary")
    if policy is RestartPolicy.TRANSIENT and history and history[-1].ready and history[-1].clean:
        return Leave("it came to its end, and its restart policy is transient")
    recent = sum(1 for failure in history if now - failure.at < limits.period)
    in_a_row = _never_ready(history)
    if recent > limits.count:
        return GiveUp(f"it failed {recent} times in {limits.period:g} s")
    if in_a_row > limits.count:
        return GiveUp(f"it did not come up {in_a_row} times in a row")
    doublings = min(max(recent, in_a_row, 1) - 1, 10)
    delay = min(SHORTEST_SECONDS * 2.0**doublings, LONGEST_SECONDS)
    return Restart(delay * (1.0 - 0.25 * min(max(jitter, 0.0), 1.0)))


def remember(history: Sequence[Failure], failure: Failure, limits: Limits) -> tuple[Failure, ...]:
    """Return the history with one more failure, without what no decision needs any more.

    What was before is forgotten when it was up for a whole period.
    """
    if failure.ready and failure.lasted >= limits.period:
        return (failure,)
    return (*history, failure)[-(limits.count + 2) :]


def _never_ready(history: Sequence[Failure]) -> int:
    count = 0
    for failure in reversed(history):
        if failure.ready:
            break
        count += 1
    return count
