"""How servers are, and what is done about it."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class ConditionChanged(Event, frozen=True, tag=True):
    """A server is ``healthy``, ``degraded`` or ``failing`` now; ``reason`` says what is wrong."""

    server: str
    before: str
    after: str
    reason: str = ""


class RemedyTried(Event, frozen=True, tag=True):
    """Something was done to mend a server: ``outcome`` is ``done`` or ``failed``, ``detail`` says what, or why not."""

    server: str
    remedy: str
    outcome: str
    detail: str = ""


class Escalated(Event, frozen=True, tag=True):
    """An algedonic signal: nothing mends a server; it waits for a person. ``tried`` names the remedies."""

    server: str
    reason: str
    tried: tuple[str, ...] = ()


class ServerReplaced(Event, frozen=True, tag=True):
    """Others do a server's work until it is well again; none named: it does it itself again."""

    server: str
    stands_in: tuple[str, ...] = ()


class RestartsHeld(Event, frozen=True, tag=True):
    """So many servers are restarted by themselves that they wait for each other; told when that begins."""

    seconds: float
    per_minute: float
