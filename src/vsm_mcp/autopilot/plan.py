"""What the autopilot should do now: acquire, give notice, retire, replace; or nothing. Pure.

Every rule is one-sided in time, so that nothing goes back and forth:

- what a person denied is not planned again until a person takes that back; what the policy denied, not until the policy
  is another one;
- after a failure the wait doubles, from ``cooldown_seconds`` to :data:`LONGEST_WAIT`;
- a server is retired only when nobody used it, and nobody needed what it does, for ``unused_days``, then not before its
  notice has stood for ``notice_days``; any use takes the notice back;
- what was retired comes back for new demand alone: within ``rest_days`` as much of it as a new gap takes;
- nothing is begun that could take more than is left of the budget of the last 24 hours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import Final, Literal

import msgspec

from vsm_mcp.autopilot.gaps import Gap
from vsm_mcp.model.autopilot_settings import AutopilotSettings
from vsm_mcp.model.need import Past, Tenure

DAY: Final = 86_400.0
LONGEST_WAIT: Final = 30 * DAY

Kind = Literal["acquire", "notice", "withdraw", "retire", "replace"]


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One server as the plan sees it; times in seconds since the epoch, 0 is never.

    ``used_at`` is when it was used last, or something that it does was needed, or it was admitted. ``protected`` says
    why it is never taken out (a file or a kit asks for it); ``failing_at`` since when it keeps failing; ``need`` is
    what a replacement would have to do.
    """

    name: str
    used_at: float
    protected: str = ""
    failing_at: float = 0.0
    need: str = ""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a plan goes by.

    ``waiting`` holds (kind, key) of what waits for a person, ``spent`` what was used in the last 24 hours
    (``installs``, ``disk``, ``memory``, ``tokens``), ``expected`` what one more acquisition would take of the same;
    ``policy`` is the mark of the policy in force.
    """

    now: float
    gaps: Sequence[Gap]
    servers: Sequence[Standing]
    tenures: Mapping[str, Tenure]
    waiting: frozenset[tuple[str, str]]
    spent: Mapping[str, float]
    expected: Mapping[str, float]
    settings: AutopilotSettings
    policy: str = ""


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be done. ``key`` is the need's key, or the server's name; ``reason`` is written for people."""

    kind: Kind
    key: str
    reason: str
    need: str = ""
    server: str = ""


class Budget:
    """What is left of the last 24 hours' budget while a plan is made."""

    def __init__(self, situation: Situation) -> None:
        settings = situation.settings
        limits = {
            "installs": float(settings.installs_per_day),
            "disk": float(settings.disk_bytes_per_day),
            "memory": float(settings.memory_bytes_per_day),
            "tokens": float(settings.tokens_per_day),
        }
        self._each = {"installs": 1.0, **situation.expected}
        self._left = {what: limit - situation.spent.get(what, 0.0) for what, limit in limits.items()}

    @property
    def room(self) -> int:
        """How many more acquisitions there is room for."""
        each = ((self._left[what], amount) for what, amount in self._each.items() if amount > 0)
        return max(0, min(int(left / amount) for left, amount in each))

    def take(self) -> None:
        """Set aside what one acquisition takes."""
        for what, amount in self._each.items():
            self._left[what] -= amount


def wait_after(failures: int, first: float) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return 0.0 if failures <= 0 else min(LONGEST_WAIT, first * 2.0 ** min(failures - 1, 40))


def plan(situation: Situation) -> tuple[Proposed, ...]:
    """Return what to do now, in order; the same situation always gives the same plan."""
    budget = Budget(situation)
    retiring = tuple(_retiring(situation))
    leaving = {each.server for each in retiring if each.kind == "retire"}
    replacing = tuple(_replacing(situation, budget, leaving))
    return (*retiring, *replacing, *_acquiring(situation, budget))


# --- closing gaps -----------------------------------------------------------------------------------------------------


def _acquiring(situation: Situation, budget: Budget) -> Iterator[Proposed]:
    room = budget.room
    names = {server.name for server in situation.servers}
    eligible = (gap for gap in situation.gaps if not gap.met and _may_acquire(gap, situation, names))
    begun: set[str] = set()
    for gap in nsmallest(room, eligible, key=_urgency):
        demanded = gap.demanded
        if gap.key in begun:  # two that are alike a third: one past, one attempt
            continue
        begun.add(gap.key)
        budget.take()
        reason = f"seen {demanded.count} times, last from {'+'.join(sorted(demanded.sources))}, and no tool meets it"
        yield Proposed(kind="acquire", key=gap.key, need=demanded.need, reason=reason)


def _urgency(gap: Gap) -> tuple[bool, int, float, str]:
    """What is declared goes before what was seen more often, then what was seen first."""
    demanded = gap.demanded
    return "declared" not in demanded.sources, -demanded.count, demanded.first, demanded.key


def _may_acquire(gap: Gap, situation: Situation, names: set[str]) -> bool:
    demanded, past, now = gap.demanded, gap.past, situation.now
    declared = "declared" in demanded.sources
    if not declared and demanded.count < situation.settings.least_count:
        return False
    if denied(past, situation.policy) or ("acquire", gap.key) in situation.waiting:
        return False
    if past.server in names:  # it came for this need: whether it should be replaced is another question
        return False
    if past.failures and now - past.failed_at < wait_after(past.failures, situation.settings.cooldown_seconds):
        return False
    return not past.retired_at or _anew(gap, situation)


def _anew(gap: Gap, situation: Situation) -> bool:
    """Whether there is demand that is newer than the retirement of what met it."""
    demanded, past, settings = gap.demanded, gap.past, situation.settings
    fresh = demanded.count - past.seen_then
    rested = situation.now - past.retired_at >= settings.rest_days * DAY
    return demanded.last > past.retired_at and fresh >= (1 if rested else max(1, settings.least_count))


def denied(past: Past, policy: str) -> bool:
    """Say whether somebody said no to a need: a person, or the policy as it is now."""
    return bool(past.denied_by) or bool(past.policy and past.policy == policy)


# --- retiring ---------------------------------------------------------------------------------------------------------


def _retiring(situation: Situation) -> Iterator[Proposed]:
    settings, none = situation.settings, Tenure()
    if settings.unused_days <= 0:
        return
    for server in situation.servers:
        tenure = situation.tenures.get(server.name, none)
        found = _retirement(server, tenure, situation)
        if found is not None:
            yield found


def _retirement(server: Standing, tenure: Tenure, situation: Situation) -> Proposed | None:
    settings, now, name = situation.settings, situation.now, server.name
    idle = now - server.used_at
    if not tenure.noticed_at and idle < settings.unused_days * DAY:
        return None  # almost all
    stays = bool(server.protected or tenure.kept_by) or idle < settings.unused_days * DAY
    if tenure.rested_at >= server.used_at and tenure.rested_at:
        return None  # it was stopped for want of use, and nobody has used it since
    if not tenure.noticed_at:
        if stays:
            return None
        reason = f"unused for {idle / DAY:.1f} days; it is retired in {settings.notice_days:g} days unless it is used"
        return Proposed(kind="notice", key=name, server=name, reason=reason)
    if stays or server.used_at > tenure.noticed_at:
        return Proposed(kind="withdraw", key=name, server=name, reason=server.protected or "it is used again")
    if now - tenure.noticed_at < settings.notice_days * DAY:
        return None
    if ("retire", name) in situation.waiting or (tenure.policy and tenure.policy == situation.policy):
        return None
    return Proposed(kind="retire", key=name, server=name, reason=f"unused for {idle / DAY:.1f} days, noticed before")


# --- replacing --------------------------------------------------------------------------------------------------------


def _replacing(situation: Situation, budget: Budget, leaving: Collection[str]) -> Iterator[Proposed]:
    """Yield what is to be replaced; what is ``leaving`` for want of use needs no replacement."""
    for server in situation.servers:
        if not server.failing_at or server.name in leaving:
            continue
        if not budget.room:
            return
        if _may_replace(server, situation.tenures.get(server.name, Tenure()), situation):
            budget.take()
            minutes = (situation.now - server.failing_at) / 60
            reason = f"{server.name} has kept failing for {minutes:.0f} minutes"
            yield Proposed(kind="replace", key=server.name, server=server.name, need=server.need, reason=reason)


def _may_replace(server: Standing, tenure: Tenure, situation: Situation) -> bool:
    settings, now = situation.settings, situation.now
    if server.protected or tenure.kept_by or not server.need or ("replace", server.name) in situation.waiting:
        return False
    if settings.failing_seconds <= 0 or now - server.failing_at < settings.failing_seconds:
        return False
    if tenure.policy and tenure.policy == situation.policy:
        return False
    return now - tenure.replacing_at >= wait_after(tenure.replacements, settings.cooldown_seconds)
