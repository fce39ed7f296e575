"""The servers of a home as the autopilot's plan sees them: how long unused, why protected, since when failing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from vsm_mcp.app.declared import FILE
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.kits import kit_of
from vsm_mcp.autopilot.gaps import Demanded
from vsm_mcp.autopilot.plan import Standing
from vsm_mcp.errors import VsmError
from vsm_mcp.events import ConditionChanged, Escalated, Event
from vsm_mcp.model.need import Past, Tenure
from vsm_mcp.model.server import Server, ServerState
from vsm_mcp.routing.ledger import Ledger, Reader
from vsm_mcp.runtime.supervisor import Runtime

_DOWN: Final = (ServerState.FAILED, ServerState.GAVE_UP)
_LEAST_CALLS: Final = 20
_MOST_FAULTS: Final = 0.5


class Standings:
    """Looks at the servers; a subscriber of the bus, which tells of those that nothing mends."""

    def __init__(self, fleet: Fleet, runtime: Runtime, ledger: Ledger) -> None:
        self._fleet = fleet
        self._runtime = runtime
        self._calls = Reader(ledger)
        self._troubled: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Take note of servers that nothing mends, and of those that are well again."""
        match event:
            case Escalated(server=name):
                self.trouble(name)
            case ConditionChanged(server=name, after="healthy"):
                self.trouble(name, over=True)

    def trouble(self, name: str, *, over: bool = False) -> None:
        """Take note that a server keeps failing though all was tried to mend it, or that this is over."""
        (self._troubled.discard if over else self._troubled.add)(name)

    def healthy(self) -> frozenset[str]:
        """Return the servers that serve, or would with the next call."""
        return frozenset(name for name in self._fleet.allowed() if not self._down(name))

    def failing(self) -> frozenset[str]:
        """Return the servers that fail now: given up, down, in trouble, or most of whose calls failed.

        Calls are those since the last look, where there were twenty: call it once a look.
        """
        return frozenset(
            name for name in self._fleet.allowed() if self._down(name) or name in self._troubled or self._faulty(name)
        )

    def of(
        self,
        now: float,
        seen_at: Mapping[str, float],
        needed: Mapping[str, Sequence[Demanded]],
        tenures: Mapping[str, Tenure],
        past: Mapping[str, Past],
    ) -> tuple[Standing, ...]:
        """Return every admitted server. ``seen_at`` is when a server was used last, by the identity of its reference.

        ``needed`` are the needs of the window that each server's tools meet: to be needed is as good as to be used, and
        what is declared is needed now.
        """
        came_for = {each.server: each.need for each in past.values() if each.server}
        rows = []
        for name, server in self._fleet.servers.items():
            if server.quarantined:
                continue
            wants, tenure = needed.get(name, ()), tenures.get(name, Tenure())
            last = max((each.last for each in wants), default=0.0)
            rows.append(
                Standing(
                    name=name,
                    used_at=max(server.added, seen_at.get(server.ref.identity, 0.0), last),
                    protected=_protected(server),
                    failing_at=tenure.failing_at,
                    need=came_for.get(name) or server.description,
                )
            )
        return tuple(rows)

    def _down(self, name: str) -> bool:
        try:
            return self._runtime.status(name).state in _DOWN
        except VsmError:
            return True

    def _faulty(self, name: str) -> bool:
        news = [more for (asked, _), more in self._calls.news(name) if asked == name]
        calls, faults = sum(each.calls for each in news), sum(each.faults for each in news)
        return calls >= _LEAST_CALLS and faults > _MOST_FAULTS * calls


def _protected(server: Server) -> str:
    if server.origin.startswith(FILE):
        return f"{FILE} asks for it"
    kit = kit_of(server)
    return f"it came with the kit {kit}" if kit else ""
