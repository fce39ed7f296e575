"""How often servers may be started again by themselves, all of them together: a storm of restarts helps nobody.

What fails for one reason (a registry, a disk, a key that ran out) fails for many servers at once; each would be
restarted by its own policy, all of them in the same minute. The token bucket may owe, so that each who has to wait
knows for how long and nobody asks twice. In any stretch of time there are at most ``burst``
starts and ``per_minute`` for each of its minutes. Whoever asks for a server (a call, a person) does not wait.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from vsm_mcp.events import Emit, RestartsHeld, ignore
from vsm_mcp.model.health_settings import HealthSettings
from vsm_mcp.policy.bucket import Rate, full, reserve, take


def rate_of(settings: HealthSettings) -> Rate:
    """Return how often servers may be restarted under some settings."""
    return Rate(settings.restarts_per_minute, settings.restarts_at_once)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the limit is and does: restarts ``per_minute`` in the long run and ``at_once``, how many ``waited`` so far.

    Remedies that found no start to spare are not among those: they ask again. ``waiting`` is how many seconds the next
    one would wait.
    """

    per_minute: float
    at_once: int
    waited: int = 0
    waiting: float = 0.0


class StartLimit:
    """The starts of one fleet. ``clock`` is a steady clock's seconds; ``emit`` is told when restarts begin to wait."""

    def __init__(self, rate: Rate, clock: Callable[[], float], emit: Emit = ignore) -> None:
        self._rate = rate
        self._clock = clock
        self._emit = emit
        self._bucket = full(rate, clock())
        self._waited = 0
        self._holding = False

    def turn(self) -> float:
        """Take one start, and return for how many seconds to wait for it; it is taken in any case."""
        self._bucket, wait = reserve(self._bucket, self._rate, self._clock())
        self._waited += wait > 0
        self._told(wait)
        return wait

    def free(self) -> bool:
        """Take one start if there is one now; who gets none asks again later."""
        self._bucket, wait = take(self._bucket, self._rate, self._clock())
        self._told(wait)
        return wait <= 0

    def configure(self, rate: Rate) -> None:
        """Have another rate count from now on."""
        self._rate = rate

    def state(self) -> Held:
        """Return what is known now."""
        _, wait = reserve(self._bucket, self._rate, self._clock())
        return Held(
            per_minute=self._rate.per_minute, at_once=self._rate.burst, waited=self._waited, waiting=round(wait, 1)
        )

    def _told(self, wait: float) -> None:
        if wait > 0 and not self._holding:
            self._emit(RestartsHeld(seconds=round(wait, 1), per_minute=self._rate.per_minute))
        self._holding = wait > 0
