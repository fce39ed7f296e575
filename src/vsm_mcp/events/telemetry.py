"""What becomes of what is sent to other programs."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class ExportFailed(Event, frozen=True, tag=True):
    """Traces or metrics (``signal``) could not be sent and were dropped; told once, until sending works again."""

    signal: str
    reason: str


class ExportResumed(Event, frozen=True, tag=True):
    """Traces or metrics (``signal``) are sent again."""

    signal: str
