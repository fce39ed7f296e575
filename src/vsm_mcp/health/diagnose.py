"""How a server is, from what its checks see: with patience before anything counts, and before it is forgotten. Pure.

A check has to fail several looks in a row before it is an issue, and to pass as many before that is none any more. So a
server that fails every other look is neither sick nor well by turns: it stays what it was, and is looked at more
closely meanwhile. A check that could not look says neither; what nobody could confirm for long is not held against a
server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.health.check import Condition, Reading
from vsm_mcp.health.trend import Trend
from vsm_mcp.model.finding import CheckStatus

URGENT_SECONDS: Final = 600.0
"""What reaches its limit within this time is mended before it does."""
STALE_SECONDS: Final = 600.0
GIVEN_UP: Final = "supervision"
"""The issue of a server that the supervision gave up: no check can look at it."""


class Issue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is wrong: which ``check`` says so, in which words, since when, and when it was seen last (epoch seconds).

    ``eta`` is in how many seconds something will have reached its limit that has not yet. ``urgent`` says that a new
    process would help, and should be had soon.
    """

    check: str
    severity: Condition
    detail: str
    since: float
    seen: float
    eta: float | None = None
    urgent: bool = False


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is: ``since`` is when that began, ``good`` how many looks in a row found nothing wrong.

    ``streaks`` counts, by check, the looks in a row that speak against what is held of it now. ``renewed`` says that
    another process runs than the one that the issues were found with.
    """

    condition: Condition = Condition.HEALTHY
    since: float = 0.0
    issues: tuple[Issue, ...] = ()
    streaks: Mapping[str, int] = {}
    good: int = 0
    renewed: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether it should be looked at again soon."""
        return bool(self.streaks) or self.condition is Condition.FAILING

    @property
    def urgent(self) -> bool:
        """Whether a new process would help, and should be had soon."""
        return any(issue.urgent for issue in self.issues)

    @property
    def reason(self) -> str:
        """What is wrong, for a person; the worst first."""
        ordered = sorted(self.issues, key=lambda issue: -issue.severity)
        return "; ".join(f"{issue.check}: {issue.detail}" for issue in ordered)


def diagnose(
    chart: Chart, readings: Mapping[str, Reading], trends: Mapping[str, Trend], now: float, failures: int
) -> Chart:
    """Return how a server is after one more look; ``trends`` are what its measures grow like, by check.

    ``failures`` looks in a row have to say the same before it counts.
    """
    wrong = {name for name, reading in readings.items() if reading.status is CheckStatus.FAIL or name in trends}
    if not (wrong or chart.issues or chart.streaks):
        return chart if chart.good >= failures else msgspec.structs.replace(chart, good=chart.good + 1)
    good = 0 if wrong else chart.good + 1
    made_good = chart.renewed and good >= failures
    held = {issue.check: issue for issue in chart.issues}
    issues, streaks = [], {}
    for name, reading in readings.items():
        issue, streak = held.get(name), chart.streaks.get(name, 0)
        if reading.status is CheckStatus.UNAVAILABLE and name not in trends:
            stale = issue is not None and (made_good or now - issue.seen > STALE_SECONDS)
            issue, streak = (None, 0) if stale else (issue, streak if issue is not None else streak - 1)
        else:
            streak = streak + 1 if (name in wrong) != (issue is not None) else 0
            if streak >= failures:
                issue, streak = (_issue(name, reading, trends.get(name), now, now) if issue is None else None), 0
            elif issue is not None and name in wrong:
                issue = _issue(name, reading, trends.get(name), issue.since, now)
        if issue is not None:
            issues.append(issue)
        if streak > 0:
            streaks[name] = streak
    return _charted(chart, tuple(issues), streaks, now, good)


def given_up(chart: Chart, reason: str, now: float) -> Chart:
    """Return how a server is that the supervision has given up; the checks look at it again once it runs."""
    since = next((issue.since for issue in chart.issues if issue.check == GIVEN_UP), now)
    issue = Issue(check=GIVEN_UP, severity=Condition.FAILING, detail=reason, since=since, seen=now)
    return _charted(chart, (issue,), {}, now, 0)


def renewed(chart: Chart) -> Chart:
    """Return what is held of a server once another process runs: what aged with the one before is forgotten.

    What made it fail stays until several looks in a row have found nothing wrong.
    """
    issues = tuple(issue for issue in chart.issues if issue.severity is Condition.FAILING)
    condition = max((issue.severity for issue in issues), default=Condition.HEALTHY)
    return msgspec.structs.replace(chart, condition=condition, issues=issues, streaks={}, good=0, renewed=True)


def _issue(name: str, reading: Reading, found: Trend | None, since: float, now: float) -> Issue:
    if reading.failed or found is None:
        urgent = reading.ageing and reading.basis != "calls"  # some tools take long, however young the process
        detail, severity = reading.detail, reading.severity
        return Issue(check=name, severity=severity, detail=detail, since=since, seen=now, urgent=urgent)
    minutes = max(round(found.eta / 60), 1)
    detail = f"{reading.detail}, and growing: it reaches its limit in about {minutes} minutes"
    return Issue(
        check=name,
        severity=Condition.DEGRADED,
        detail=detail,
        since=since,
        seen=now,
        eta=found.eta,
        urgent=found.eta <= URGENT_SECONDS,
    )


def _charted(chart: Chart, issues: tuple[Issue, ...], streaks: Mapping[str, int], now: float, good: int) -> Chart:
    condition = max((issue.severity for issue in issues), default=Condition.HEALTHY)
    since = chart.since if condition is chart.condition and chart.since else now
    sick = chart.renewed and bool(issues or streaks)
    return Chart(condition=condition, since=since, issues=issues, streaks=streaks, good=good, renewed=sick)
