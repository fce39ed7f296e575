"""What becomes of a rollout: hold, the next stage, back, or done. Pure.

Promotion: the stage has lasted long enough, the newcomer took enough calls in it, nothing speaks against it, and it
keeps above the floor. A stage into which the calls of no caller fall is passed by, once so many calls have been seen
that the newcomer should have had its share of them.

Rollback, at any look, however few or many there were: the evidence that the newcomer is worse has passed the bound that
equals pass with probability ``false_alarms`` at most over the whole ladder. That is shared out: two fifths for
faults, one for bad ends of any kind (``isError`` among them), two for latency; each of them in equal parts to the
stages, each of which begins anew (so that what was good for long is found out when it turns bad). See
:mod:`vsm_mcp.routing.wager` and :mod:`vsm_mcp.routing.pace`. A newcomer that is surely below the floor goes back as
well. The floor counts where the incumbent keeps it in the same traffic: nobody is blamed for what people ask of a
tool.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from vsm_mcp.model.proportion import wilson
from vsm_mcp.model.rollout import Counts, Phase, Rollout, Side, Tally
from vsm_mcp.model.rollout_settings import RolloutSettings
from vsm_mcp.routing import wager
from vsm_mcp.routing.pace import Pace, bound, pace

_FAULTS: Final = 0.4
_BAD: Final = 0.2
_PACE: Final = 0.4
_SUSPECTED: Final = 0.4
"""Where so much of the way to a rollback is gone, a stage that is over otherwise waits for more calls."""
_SURE: Final = 3.0
"""Standard errors of Wilson's interval: surely below the floor."""


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision rests on. ``faults``, ``bad`` and ``slower`` are shares of the way to a rollback (1: there).

    ``success`` and ``errors`` are the newcomer's rates in this stage. ``incumbent_success`` and ``incumbent_errors``
    are what the incumbent's would be, had it been asked for the same tools as often (direct standardisation),
    ``times`` is how many times as slow the newcomer is.
    """

    calls: int
    incumbent_calls: int
    seconds: float
    success: float
    errors: float
    incumbent_success: float
    incumbent_errors: float
    times: float
    faults: float
    bad: float
    slower: float


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, ``hold``, ``promote``, ``roll_back`` or ``done``, why, and the numbers."""

    what: str
    reason: str
    numbers: Numbers


def decide(rollout: Rollout, settings: RolloutSettings, now: float) -> Decision:
    """Return what becomes of a rollout now; the shadow phase is judged by the copies, as a stage of its own."""
    numbers = measure(rollout, settings, now)
    what, reason = _decided(rollout, settings, numbers)
    return Decision(what=what, reason=reason, numbers=numbers)


def measure(rollout: Rollout, settings: RolloutSettings, now: float) -> Numbers:
    """Return the numbers of a stage."""
    tallies = rollout.tallies.values()
    newcomer, incumbent = _all(t.newcomer for t in tallies), sum(t.incumbent.calls for t in tallies)
    expected = [_expected(tally) for tally in tallies]
    faults, bad = sum(each[0] for each in expected), sum(each[1] for each in expected)
    alpha = settings.false_alarms / (len(rollout.stages) + 1)
    found, slower = _slower(rollout, settings.slower, _PACE * alpha)
    return Numbers(
        calls=newcomer.calls,
        incumbent_calls=incumbent,
        seconds=now - rollout.since,
        success=1 - _share(newcomer.faults, newcomer.calls),
        errors=_share(newcomer.faults + newcomer.errors, newcomer.calls),
        incumbent_success=1 - _share(faults, newcomer.calls),
        incumbent_errors=_share(bad, newcomer.calls),
        times=found.times,
        faults=_way(wager.evidence(tally.faults for tally in tallies), _FAULTS * alpha),
        bad=_way(wager.evidence(tally.bad for tally in tallies), _BAD * alpha),
        slower=slower,
    )


def _decided(rollout: Rollout, settings: RolloutSettings, numbers: Numbers) -> tuple[str, str]:
    if why := _against(settings, numbers):
        return "roll_back", why
    if rollout.held:
        return "hold", "it is held by hand"
    if numbers.seconds < settings.stage_seconds:
        return "hold", f"the stage lasts {settings.stage_seconds:g} s"
    if not numbers.calls and _passed_by(rollout, settings, numbers):
        return onwards(rollout), "the calls of no caller fall into this stage"
    if numbers.calls < settings.stage_calls:
        return "hold", f"{numbers.calls} of {settings.stage_calls} calls"
    if why := _suspicion(settings, numbers):
        return "hold", why
    return onwards(rollout), _praise(numbers)


def _against(settings: RolloutSettings, numbers: Numbers) -> str:
    """Return why it is surely worse; empty where it is not."""
    if numbers.faults >= 1:
        mine, its = 1 - numbers.success, 1 - numbers.incumbent_success
        return f"it fails more calls: {mine:.1%} of {numbers.calls}, not {its:.1%}"
    if numbers.bad >= 1:
        return (
            f"more calls end in an error: {numbers.errors:.1%} of {numbers.calls}, not {numbers.incumbent_errors:.1%}"
        )
    if numbers.slower >= 1:
        return f"it is {numbers.times:.2g} times as slow"
    if numbers.calls < settings.stage_calls:
        return ""
    _, upper = wilson(numbers.success, numbers.calls, _SURE)
    if upper < settings.least_success < numbers.incumbent_success:
        return f"{numbers.success:.1%} of its calls are answered, the least is {settings.least_success:.0%}"
    lower, _ = wilson(numbers.errors, numbers.calls, _SURE)
    if lower > settings.most_errors > numbers.incumbent_errors:
        return f"{numbers.errors:.1%} of its calls end in an error, the most is {settings.most_errors:.0%}"
    return ""


def _suspicion(settings: RolloutSettings, numbers: Numbers) -> str:
    """Return why it does not go on yet although the stage is over."""
    if max(numbers.faults, numbers.bad, numbers.slower) >= _SUSPECTED:
        return "it may be worse: more calls will tell"
    if numbers.success <= settings.least_success < numbers.incumbent_success:
        return f"{numbers.success:.1%} of its calls are answered: more than {settings.least_success:.0%} must be"
    if numbers.errors >= settings.most_errors > numbers.incumbent_errors:
        return f"{numbers.errors:.1%} of its calls end in an error: less than {settings.most_errors:.0%} must"
    return ""


def _passed_by(rollout: Rollout, settings: RolloutSettings, numbers: Numbers) -> bool:
    return rollout.phase is Phase.SHARE and numbers.incumbent_calls * rollout.percent >= 100 * settings.stage_calls


def onwards(rollout: Rollout) -> str:
    """Return what going on means for a rollout: to ``promote`` it, or that it is ``done`` after its last stage."""
    last = rollout.phase is Phase.SHARE and rollout.stage + 1 >= len(rollout.stages)
    return "done" if last else "promote"


def _praise(numbers: Numbers) -> str:
    answered = f"{numbers.success:.1%} of {numbers.calls} calls answered"
    return f"{answered} (the incumbent: {numbers.incumbent_success:.1%}), {numbers.times:.2g} times its time"


def _way(log: float, alpha: float) -> float:
    """Return how much of the way to its bound evidence has gone, on the scale of logarithms; 1: it is there."""
    return round(max(log, 0.0) / -math.log(alpha), 3)


def _slower(rollout: Rollout, tolerated: float, alpha: float) -> tuple[Pace, float]:
    """Return the pace of the newcomer, and how much of the way to its bound the evidence has gone that it is slower.

    It has to be slower than the incumbent is now, and than the incumbent was before, when that had more of the calls: a
    side is slower for the mere reason that it has more to do.
    """
    tallies = rollout.tallies.values()
    now = pace(((each.incumbent, each.newcomer) for each in tallies), tolerated)
    before = pace(((each.incumbent_before, each.newcomer) for each in tallies), tolerated)
    known = [found for found in (now, before) if found.answers]
    if not known:
        return Pace(), 0.0
    least = min(known, key=lambda found: found.sigmas)
    return least, round(max(least.sigmas, 0.0) / bound(least.answers, alpha), 3)


def _expected(tally: Tally) -> tuple[float, float]:
    """Return how many faults and bad ends the incumbent would have had in the newcomer's calls of a tool."""
    known = tally.incumbent.plus(tally.incumbent_before)
    share = tally.newcomer.calls / known.calls if known.calls else 0.0
    return known.faults * share, (known.faults + known.errors) * share


def _all(sides: Iterable[Side]) -> Side:
    total = Side()
    for side in sides:
        total = total.plus(side)
    return total


def _share(some: float, calls: int) -> float:
    return some / calls if calls else 0.0


# --- what was counted ------------------------------------------------------------------------------------------------


def counted(rollout: Rollout, incumbent: Mapping[str, Side], newcomer: Mapping[str, Side]) -> Rollout:
    """Return a rollout with more calls counted, by tool of the incumbent."""
    tallies = dict(rollout.tallies)
    for tool in incumbent.keys() | newcomer.keys():
        tallies[tool] = _with(tallies.get(tool, Tally()), incumbent.get(tool, Side()), newcomer.get(tool, Side()))
    return msgspec.structs.replace(rollout, tallies=tallies)


def advanced(rollout: Rollout, now: float) -> Rollout:
    """Return a rollout at the begin of its next stage."""
    tallies = {tool: _turned(tally) for tool, tally in rollout.tallies.items()}
    stage = 0 if rollout.phase is Phase.SHADOW else min(rollout.stage + 1, len(rollout.stages) - 1)
    return msgspec.structs.replace(rollout, phase=Phase.SHARE, stage=stage, since=now, tallies=tallies)


def _with(tally: Tally, incumbent: Side, newcomer: Side) -> Tally:
    faults = [Counts(side.calls, side.faults) for side in (incumbent, newcomer)]
    bad = [Counts(side.calls, side.faults + side.errors) for side in (incumbent, newcomer)]
    return msgspec.structs.replace(
        tally,
        incumbent=tally.incumbent.plus(incumbent),
        newcomer=tally.newcomer.plus(newcomer),
        faults=wager.settled(tally.faults, *faults),
        bad=wager.settled(tally.bad, *bad),
    )


def _turned(tally: Tally) -> Tally:
    return Tally(
        incumbent_before=tally.incumbent_before.plus(tally.incumbent),
        newcomer_before=tally.newcomer_before.plus(tally.newcomer),
        faults=wager.anew(tally.faults),
        bad=wager.anew(tally.bad),
    )
