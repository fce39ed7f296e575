"""What is done every so often is done together: to wake up costs an idle process more than what it wakes for."""

from __future__ import annotations

from typing import Final

_SOON: Final = 0.1


def until_beat(every: float, now: float) -> float:
    """Return the seconds until the next multiple of ``every`` (seconds) on a steady clock that shows ``now``.

    Between a tenth of ``every`` and a tenth more than it: a timer that was a little early has no second beat.
    """
    left = every - now % every
    return left if left >= every * _SOON else left + every
