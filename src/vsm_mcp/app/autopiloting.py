"""The autopilot of one home, put together: what it answers for, and its loop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from vsm_mcp.app.autopilot_loop import Autopilot
from vsm_mcp.app.carrying_out import CarryingOut
from vsm_mcp.app.proposals import Proposals
from vsm_mcp.app.standings import Standings
from vsm_mcp.app.variety import Gaps, proposal_row
from vsm_mcp.autopilot.plan import DAY

if TYPE_CHECKING:
    from vsm_mcp.app.application import App


class Autopiloting:
    """See the module. ``standings`` hears from who watches health that a server is beyond mending."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.standings = Standings(app.fleet, app.runtime, app.gateway.router.ledger)
        app.bus.subscribe(self.standings)
        self.gaps = Gaps(app, app.acquiring, self.standings)
        self.carrying_out = CarryingOut(app, app.acquiring, self.gaps)
        self.loop = Autopilot(app, self.gaps, self.standings, self.carrying_out)
        proposals = Proposals(app, app.approvals, app.acquiring, self.carrying_out)
        self.answering: dict[str, object] = {
            **dict.fromkeys(("gaps", "allow_need", "deny_need"), self.gaps),
            **dict.fromkeys(("approve", "deny"), proposals),
        }

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Let the loop run while the context lasts."""
        return self.loop.running()

    def configured(self) -> None:
        """Take in that other settings count from now on."""
        self.loop.configured()

    async def status(self) -> dict[str, Any]:
        """Return what waits for a person, and which servers have notice."""
        memory, notice = self._app.store.memory, self._app.config.autopilot.notice_days * DAY
        tenures = await memory.servers()
        return {
            "proposals": [proposal_row(each) for each in (await memory.proposals()).values()],
            "retiring": [
                {"name": name, "noticed_at": tenure.noticed_at, "due": tenure.noticed_at + notice}
                for name, tenure in tenures.items()
                if tenure.noticed_at and name in self._app.fleet.servers
            ],
        }
