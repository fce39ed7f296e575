"""All that is known about how one server is: its history, its chart, and what was tried with it. Pure.

The same file decides in the daemon and in the simulation of a large fleet: what differs is where readings come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.health import diagnose, ladder
from vsm_mcp.health.check import Condition, Reading
from vsm_mcp.health.diagnose import Chart
from vsm_mcp.health.history import History
from vsm_mcp.health.ladder import Attempt, Case, Climb, Pace, Step
from vsm_mcp.health.remedy import Done
from vsm_mcp.health.trend import Trend, trend
from vsm_mcp.model.health_settings import HealthSettings

_EVERY: Final = 10
"""Trends are looked for in every tenth look: they do not change faster, and cost more than all else."""
_CONFIRMED: Final = 2


class File:
    """The file of one server. ``at`` is in seconds since the epoch everywhere."""

    __slots__ = ("_seen", "chart", "climb", "history", "trends")

    def __init__(self, climb: Climb | None = None) -> None:
        self.chart = Chart()
        self.climb = climb or Climb()
        self.history = History()
        self.trends: dict[str, Trend] = {}
        self._seen: dict[str, int] = {}

    def look(self, readings: Mapping[str, Reading], at: float, settings: HealthSettings) -> Chart:
        """Take in one look; return how the server is."""
        self.history.add(at, readings)
        if self.history.looks % _EVERY == 0:
            self._grown(settings.horizon_seconds)
        self.chart = diagnose.diagnose(self.chart, readings, self.trends, at, settings.failures)
        return self._observed(at)

    def given_up(self, reason: str, at: float) -> Chart:
        """Take note that the supervision has given it up."""
        self.chart = diagnose.given_up(self.chart, reason, at)
        return self._observed(at)

    def restarted(self) -> None:
        """Take note that another process runs: what grew in the one before says nothing about it."""
        self.history.afresh()
        self.trends, self._seen = {}, {}

    def step(self, case: Case, at: float, pace: Pace, jitter: float = 0.0) -> Step:
        """Return what is to be done about it; of ``case`` only what is not in this file counts."""
        mending = self.chart.good > 0
        case = msgspec.structs.replace(case, condition=self.chart.condition, mending=mending, urgent=self.chart.urgent)
        return ladder.decide(self.climb, case, at, pace, jitter)

    def try_(self, remedy: str, at: float) -> None:
        """Take note that a remedy is about to be tried."""
        self.climb = ladder.attempted(self.climb, Attempt(remedy=remedy, at=at))

    def done(self, what: Done, at: float) -> None:
        """Take note of what was done."""
        self.climb = ladder.concluded(self.climb, at, "done", what.detail)
        if what.stands_in:
            self.climb = msgspec.structs.replace(self.climb, stands_in=what.stands_in)
        if what.renews:
            self.restarted()
            self.chart = diagnose.renewed(self.chart)
        self._observed(at)

    def failed(self, why: str, at: float) -> None:
        """Take note that a remedy could not be applied."""
        self.climb = ladder.concluded(self.climb, at, "failed", why)

    @property
    def closely(self) -> bool:
        """Whether it should be looked at again soon; what waits for a person, or is replaced, is in no hurry."""
        return self.chart.doubtful and not (self.climb.escalated or self.climb.stands_in)

    def forget(self) -> None:
        """Forget what was tried."""
        self.climb = Climb()

    def afresh(self) -> None:
        """Forget everything but the history: a person has started it, or it is another version."""
        self.restarted()
        self.chart, self.climb = Chart(), Climb()

    def _observed(self, at: float) -> Chart:
        self.climb = ladder.observed(self.climb, self.chart.condition, at)
        return self.chart

    def _grown(self, horizon: float) -> None:
        """Look at what grows; only what was seen twice in a row is told."""
        found: dict[str, Trend] = {}
        for name, reading in self.history.last.items():
            if not reading.ageing or reading.limit is None or reading.failed:
                continue
            grown = trend(self.history.measured(name), reading.limit, horizon)
            self._seen[name] = self._seen.get(name, 0) + 1 if grown is not None else 0
            if grown is not None and self._seen[name] >= _CONFIRMED:
                found[name] = grown
        self.trends = found


def weight(chart: Chart, climb: Climb, degraded: float) -> float:
    """Return for how much of itself a server counts among those that can do its work; 0: others do it all."""
    if climb.stands_in:
        return 0.0
    return {Condition.HEALTHY: 1.0, Condition.DEGRADED: degraded, Condition.FAILING: degraded / 5}[chart.condition]
