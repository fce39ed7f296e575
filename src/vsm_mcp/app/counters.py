"""How often things happened since the daemon started, per server and in all: a subscriber of the bus."""

from __future__ import annotations

from collections import Counter
from typing import Final

from vsm_mcp.events import (
    AccessRefused,
    ActionDecided,
    CleanedUp,
    ConfigRejected,
    ConfigReloaded,
    Event,
    GaveUp,
    HealthChecked,
    PinChanged,
    ServerCrashed,
    ServerStarted,
    ServerStopped,
    ToolsChanged,
)
from vsm_mcp.model.action import Verdict

SERVER: Final = (
    "started",
    "restarted",
    "stopped",
    "failed",
    "gave_up",
    "health_checks",
    "tools_changed",
    "pins_changed",
)
"""What is counted for each server; ``calls`` stand beside them."""

DAEMON: Final = ("refused", "access_refused", "cleaned_up", "reloaded", "reload_refused")
"""What is counted in all only."""

_OF_SERVER: Final[dict[type[Event], str]] = {
    ServerStarted: "started",
    ServerStopped: "stopped",
    ServerCrashed: "failed",
    GaveUp: "gave_up",
    ToolsChanged: "tools_changed",
    PinChanged: "pins_changed",
    HealthChecked: "health_checks",
}
_OF_DAEMON: Final[dict[type[Event], str]] = {
    AccessRefused: "access_refused",
    CleanedUp: "cleaned_up",
    ConfigReloaded: "reloaded",
    ConfigRejected: "reload_refused",
}


class Counters:
    """Counts events; a call of it is the subscription.

    What a server counted goes with it when it is removed, and stays in the sum.
    """

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._servers: dict[str, Counter[str]] = {}
        self._started: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        kind = type(event)
        if kind in _OF_SERVER:
            self._count(getattr(event, "server", ""), _OF_SERVER[kind])
        elif kind in _OF_DAEMON:
            self._all[_OF_DAEMON[kind]] += 1
        if isinstance(event, ServerStarted):
            self._again(event)
        elif isinstance(event, ActionDecided) and event.verdict != Verdict.ALLOW.value:
            self._all["refused"] += 1

    def of(self, server: str) -> dict[str, int]:
        """Return what was counted for one server."""
        counted = self._servers.get(server, Counter())
        return {name: counted[name] for name in SERVER}

    def totals(self) -> dict[str, int]:
        """Return what was counted in all."""
        return {name: self._all[name] for name in (*SERVER, *DAEMON)}

    def forget(self, server: str) -> None:
        """Forget what was counted for one server; the sums stay."""
        self._servers.pop(server, None)
        self._started.discard(server)

    def _count(self, server: str, what: str) -> None:
        self._servers.setdefault(server, Counter())[what] += 1
        self._all[what] += 1

    def _again(self, event: ServerStarted) -> None:
        """A start of what had been started before is a restart, whoever asked for it.

        Processes of single sessions come and go with them: those are starts only.
        """
        if event.session:
            return
        if event.server in self._started:
            self._count(event.server, "restarted")
        self._started.add(event.server)
