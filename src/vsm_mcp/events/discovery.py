"""What sources say and how fresh it is."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class SourceAnswered(Event, frozen=True, tag=True):
    """A source answered with ``count`` candidates after ``seconds``; ``state`` is ok, stale, unavailable or off."""

    source: str
    state: str
    count: int
    seconds: float
    detail: str = ""


class SourceRefreshed(Event, frozen=True, tag=True):
    """What a source keeps on this machine was brought up to date (``state`` is ok), or could not be (unavailable)."""

    source: str
    state: str
    seconds: float
    detail: str = ""
