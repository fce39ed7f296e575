"""How long to pause before asking again. Pure; ``now`` is seconds since the epoch.

Sources: RFC 9110, 10.2.3 (Retry-After: seconds or a date); GitHub REST API, "Rate limits" (``x-ratelimit-remaining``
and ``x-ratelimit-reset``; after a secondary limit without a word of when, a minute).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from vsm_mcp.discovery.network.limits import Limits

_LONGEST_HOLD: Final = 24 * 3600.0
_UNSAID: Final = 60.0
_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


def may_pass(status: int) -> bool:
    """Return whether another try may mend an answer with this status."""
    return status in _PASSING


def asked_to_wait(status: int, headers: Mapping[str, str], now: float) -> float:
    """Return how many seconds a host asks not to be asked again; 0 where it does not.

    ``headers`` are looked up in lower case. At most a day: nobody may switch a source off for good.
    """
    if status < 400 and headers.get("x-ratelimit-remaining") != "0":
        return 0.0
    if status not in {403, 429, 503} and status >= 400:
        return 0.0
    wait = _seconds(headers.get("retry-after", ""), now)
    if wait is None and headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset", ""))
        wait = _UNSAID if reset is None else reset - now
    if wait is None:
        wait = _UNSAID if status == 429 and "x-ratelimit-limit" in headers else 0.0
    return min(max(0.0, wait), _LONGEST_HOLD)


def pause(failures: int, limits: Limits, chance: float) -> float | None:
    """Return the pause after so many failures, or ``None`` when it is time to give up; ``chance`` is 0…1.

    The chance spreads those who failed at the same moment: between half of the pause and all of it.
    """
    if failures >= limits.tries:
        return None
    whole = min(limits.longest_pause, limits.first_pause * 2.0 ** (failures - 1))
    return whole * (0.5 + chance / 2)


def _seconds(text: str, now: float) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    try:
        return datetime.strptime(text, _DATE).replace(tzinfo=UTC).timestamp() - now
    except ValueError:
        return None


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
