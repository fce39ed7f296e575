"""Which way calls take, and which they do not take for a while."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class BreakerOpened(Event, frozen=True, tag=True):
    """A server (or one ``tool`` of it, where given) is left alone for ``seconds``, because its calls failed.

    ``failure`` is ``transport``, ``timeout``, ``protocol``, ``auth`` or ``quota``.
    """

    server: str
    tool: str
    failure: str
    reason: str
    seconds: float


class BreakerHalfOpened(Event, frozen=True, tag=True):
    """A call is let through to a server (or one ``tool`` of it) that was left alone, to see whether it is well."""

    server: str
    tool: str


class BreakerClosed(Event, frozen=True, tag=True):
    """A server (or one ``tool`` of it) that was left alone takes calls again."""

    server: str
    tool: str


class FailedOver(Event, frozen=True, tag=True):
    """Calls of one tool were answered by another server; told at most once a minute, with how many ``calls`` it was."""

    server: str
    tool: str
    served_by: str
    served_tool: str
    reason: str
    calls: int = 1
