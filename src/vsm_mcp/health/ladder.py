"""Which remedy comes next, or how long to wait: up the rungs one by one, with more patience each time. Pure.

One rung is tried, and given time; if the server is not on the mend then, the next one is. What was tried is remembered
until the server has been well for long, so that one that fails again soon afterwards does not begin at the bottom. At
the top a person is called, once; the server is tried again now and then in case the world has mended meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.health.check import Condition

ESCALATE: Final = "escalate"
REPLACE: Final = "replace"
KNOCK: Final = "knock"
_REMEMBERED: Final = 32


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One remedy that was tried at ``at`` (seconds since the epoch): ``outcome`` is ``tried``, ``done`` or ``failed``.

    ``tried`` is what is written before it is known. ``detail`` says what was done, or why it could not be.
    """

    remedy: str
    at: float
    outcome: str = "tried"
    detail: str = ""


class Climb(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried with a server since it was last well for long; ``well`` is since when it is, 0 while it is not.

    ``stands_in`` names who does its work meanwhile, ``escalated`` when a person was called (0: nobody was).
    """

    attempts: tuple[Attempt, ...] = ()
    well: float = 0.0
    stands_in: tuple[str, ...] = ()
    escalated: float = 0.0

    @property
    def blank(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.attempts or self.stands_in or self.escalated)


class Rung(msgspec.Struct, frozen=True, gc=False):
    """One remedy that applies to a server, and how often it is tried before the next one is."""

    remedy: str
    tries: int = 1


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the ladder is, in seconds: see ``[health]`` of the settings."""

    backoff: float = 1.0
    longest: float = 60.0
    lasting: float = 300.0
    knock: float = 900.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """How one server is now: ``mending`` says that the last look found nothing wrong.

    ``rungs`` are the remedies that apply, from the bottom; ``gentle`` the one for what works but will not for long
    (empty: there is none), ``knock`` the one that tries it again.
    """

    condition: Condition
    mending: bool = False
    urgent: bool = False
    rungs: tuple[Rung, ...] = ()
    gentle: str = ""
    knock: str = ""


class Try(msgspec.Struct, frozen=True):
    """Do this now."""

    remedy: str


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for so many seconds; ``reason`` is a clause for a person."""

    seconds: float
    reason: str


class Rest(msgspec.Struct, frozen=True):
    """There is nothing to be done. ``forget`` says that it has been well for long: what was tried is forgotten."""

    forget: bool = False


Step = Try | Wait | Rest


def decide(climb: Climb, case: Case, now: float, pace: Pace, jitter: float = 0.0) -> Step:
    """Return what comes next. ``jitter`` (0 to 1) takes up to a quarter of a pause away, as in ``runtime.restart``."""
    if case.condition is not Condition.FAILING:
        return _well(climb, case, now, pace)
    pause = patience(climb, now, pace, jitter)
    if case.mending:
        return Wait(max(pause, pace.backoff), "it is on the mend")
    if pause > 0:
        return Wait(pause, f"{climb.attempts[-1].remedy} is given time")
    if climb.escalated or climb.stands_in:
        return _knock(climb, case, now, pace)
    return Try(_next(climb.attempts, case.rungs))


def patience(climb: Climb, now: float, pace: Pace, jitter: float) -> float:
    """Return how long what was tried last is still given: doubled with each attempt, up to the longest."""
    if not climb.attempts:
        return 0.0
    doublings = min(len(climb.attempts) - 1, 16)
    pause = min(pace.backoff * 2.0**doublings, pace.longest) * (1.0 - 0.25 * min(max(jitter, 0.0), 1.0))
    return min(max(climb.attempts[-1].at + pause - now, 0.0), pace.longest)


def observed(climb: Climb, condition: Condition, now: float) -> Climb:
    """Return a climb with since when the server is well, as far as there is something to forget."""
    well = 0.0 if condition is Condition.FAILING or climb.blank else climb.well or now
    return climb if well == climb.well else msgspec.structs.replace(climb, well=well)


def attempted(climb: Climb, attempt: Attempt) -> Climb:
    """Return a climb with one more attempt; of very many the oldest are forgotten."""
    escalated = attempt.at if attempt.remedy == ESCALATE else climb.escalated
    attempts = (*climb.attempts, attempt)[-_REMEMBERED:]
    return msgspec.structs.replace(climb, attempts=attempts, well=0.0, escalated=escalated)


def concluded(climb: Climb, at: float, outcome: str, detail: str) -> Climb:
    """Return a climb with what came of its last attempt; it is given time from then on."""
    if not climb.attempts:
        return climb
    last = msgspec.structs.replace(climb.attempts[-1], at=at, outcome=outcome, detail=detail)
    return msgspec.structs.replace(climb, attempts=(*climb.attempts[:-1], last))


def _well(climb: Climb, case: Case, now: float, pace: Pace) -> Step:
    if case.condition is Condition.DEGRADED and case.urgent and case.gentle:
        if not any(attempt.remedy == case.gentle for attempt in climb.attempts):
            return Try(case.gentle)
        return Wait(pace.longest, f"{case.gentle} has not helped, and harsher means would hurt what still works")
    if climb.blank:
        return Rest()
    left = climb.well + pace.lasting - now if climb.well else pace.lasting
    return Rest(forget=True) if left <= 0 else Wait(min(left, pace.lasting), "it has to be well for a while yet")


def _knock(climb: Climb, case: Case, now: float, pace: Pace) -> Step:
    if not pace.knock or not case.knock:
        return Wait(pace.longest, "it waits for a person")
    left = climb.attempts[-1].at + pace.knock - now if climb.attempts else 0.0
    return Try(KNOCK) if left <= 0 else Wait(min(left, pace.knock), "it is tried again now and then")


def _next(attempts: Sequence[Attempt], rungs: Sequence[Rung]) -> str:
    """Return the lowest rung at or above the highest one tried that has tries left; at the top, a person."""
    names = [rung.remedy for rung in rungs]
    reached = max((names.index(each.remedy) for each in attempts if each.remedy in names), default=0)
    for rung in rungs[reached:]:
        if sum(each.remedy == rung.remedy for each in attempts) < rung.tries:
            return rung.remedy
    return ESCALATE
