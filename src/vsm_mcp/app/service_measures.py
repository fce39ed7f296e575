"""Metrics of what looks after the servers: health, breakers, rollouts and the variety of the last look."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING

from vsm_mcp.health.check import Condition
from vsm_mcp.model.newcomer import version_of
from vsm_mcp.routing.breaker import State
from vsm_mcp.web import metrics
from vsm_mcp.web.families import Family, Sample

if TYPE_CHECKING:
    from vsm_mcp.app.application import App

_LEFT_ALONE = (State.OPEN, State.HALF_OPEN)


class ServiceMeasures:
    """Asked whenever somebody reads metrics."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self) -> Iterator[Family]:
        """Yield the families."""
        service, router = self._app.in_service, self._app.gateway.router
        conditions = [
            Sample((name, str(condition)), float(file.chart.condition is condition))
            for name, file in sorted(service.healing.files.items())
            for condition in Condition
        ]
        yield Family(metrics.CONDITION, conditions)
        breakers = [
            Sample((each.server, each.tool, state.value), float(each.state is state))
            for each in router.breakers.states(monotonic())
            for state in _LEFT_ALONE
        ]
        yield Family(metrics.BREAKER, breakers)
        shares = [
            Sample((server, version_of(share.newcomer) or share.newcomer), share.percent / 100)
            for server, share in sorted(router.shares.items())
        ]
        yield Family(metrics.ROLLOUT, shares)
        seen = service.autopilot.gaps.last
        for place, metric in enumerate((metrics.NEEDS, metrics.NEEDS_MET)):
            yield Family(metric, [] if seen is None else [Sample((), seen[place])])
