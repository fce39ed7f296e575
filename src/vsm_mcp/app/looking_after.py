"""The parts that look after the health of servers, put together for one home."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vsm_mcp.app.healing import Healing
from vsm_mcp.app.sights import Sights
from vsm_mcp.app.treatment import Treatment
from vsm_mcp.app.ward import HomeWard, StandIns
from vsm_mcp.config import Config
from vsm_mcp.health.check import Condition

if TYPE_CHECKING:
    from vsm_mcp.app.application import App


def looking_after(app: App, stand_ins: Callable[[], StandIns]) -> Healing:
    """Return what looks after the servers of a home; ``stand_ins`` gives who knows which can do whose work."""

    def config() -> Config:
        return app.config

    def well(name: str) -> bool:
        file = healing.files.get(name)
        return file is None or (file.chart.condition is Condition.HEALTHY and not file.climb.stands_in)

    home = (app.runtime, app.fleet, app.upgrading)
    ward = HomeWard(home, stand_ins, well)
    treatment = Treatment(config, (app.fleet, app.performer, app.store), ward, app.runtime.starts, app.bus.emit)
    router = app.gateway.router
    sights = Sights(app.runtime, app.fleet, router.ledger, config)
    healing = Healing(config, (app.runtime, app.fleet, sights), treatment, router.degrade, app.bus.emit)
    app.bus.subscribe(healing)
    app.running.begun = healing.afresh
    return healing
