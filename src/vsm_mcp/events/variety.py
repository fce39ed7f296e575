"""What the autopilot does about gaps, and about servers that nobody uses."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class ActionProposed(Event, frozen=True, tag=True):
    """Something waits for a person: ``acquire``, ``retire`` or ``replace``; ``vsm-mcp approve ID`` or ``deny ID``."""

    id: str
    kind: str
    subject: str
    ref: str
    reason: str


class ActionPlanned(Event, frozen=True, tag=True):
    """The autopilot sets about something; ``evidence`` is the record of why."""

    kind: str
    subject: str
    reason: str
    evidence: str


class ActionFailed(Event, frozen=True, tag=True):
    """What the autopilot set about came to nothing; it waits before it tries again."""

    kind: str
    subject: str
    reason: str
    evidence: str


class RetirementNoticed(Event, frozen=True, tag=True):
    """A server has notice: nobody used it for long. It is retired at ``due`` (since the epoch) unless it is used."""

    server: str
    reason: str
    due: float


class RetirementWithdrawn(Event, frozen=True, tag=True):
    """A notice was taken back."""

    server: str
    reason: str


class ServerRetired(Event, frozen=True, tag=True):
    """A server that nobody used was ``stopped`` or ``removed``."""

    server: str
    how: str
    reason: str


class LoopFailed(Event, frozen=True, tag=True):
    """The autopilot's look came to nothing; the next one is tried as if this had not been."""

    reason: str
