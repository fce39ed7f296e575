"""What becomes of newcomers on their way into service."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class RolloutBegan(Event, frozen=True, tag=True):
    """A newcomer begins to take the calls of a server; ``percent`` 0 means that it gets copies first."""

    server: str
    newcomer: str
    percent: int


class RolloutAdvanced(Event, frozen=True, tag=True):
    """A newcomer takes a larger share of a server's calls."""

    server: str
    newcomer: str
    percent: int
    reason: str = ""


class RolloutRolledBack(Event, frozen=True, tag=True):
    """A newcomer takes no calls of a server any more: at ``percent`` it was found to be worse, or somebody said so."""

    server: str
    newcomer: str
    percent: int
    reason: str


class RolloutFinished(Event, frozen=True, tag=True):
    """A newcomer has taken the place of the incumbent."""

    server: str
    newcomer: str
    reason: str = ""
