"""What happens on the way from a need to a server."""

from __future__ import annotations

from typing import Any

from vsm_mcp.events.event import Event


class AcquisitionStarted(Event, frozen=True, tag=True):
    """An acquisition began; ``subject`` is the need or the reference."""

    acquisition: str
    subject: str


class StepStarted(Event, frozen=True, tag=True):
    """A step of an acquisition began (``resolve``, ``fetch``, ``vet``, ``build``, ``trial``, ``activate``)."""

    acquisition: str
    step: str
    detail: str = ""


class StepFinished(Event, frozen=True, tag=True):
    """A step of an acquisition ended well after ``seconds``."""

    acquisition: str
    step: str
    seconds: float
    detail: str = ""


class StepFailed(Event, frozen=True, tag=True):
    """A step of an acquisition failed; ``code`` is the error's."""

    acquisition: str
    step: str
    code: str
    message: str


class SandboxPlanned(Event, frozen=True, tag=True):
    """What a server may see and reach (``model.sandbox_plan``), said before it is started for the first time."""

    acquisition: str
    plan: dict[str, Any]


class StepUndone(Event, frozen=True, tag=True):
    """The effects of a step were taken back."""

    acquisition: str
    step: str


class UndoFailed(Event, frozen=True, tag=True):
    """An algedonic signal: the effects of a step could not be taken back."""

    acquisition: str
    step: str
    message: str


class RemedyApplied(Event, frozen=True, tag=True):
    """A failure with a known cause is mended and tried again."""

    acquisition: str
    remedy: str
    reason: str


class CandidateRejected(Event, frozen=True, tag=True):
    """A candidate fell out of an acquisition; the next one is tried."""

    acquisition: str
    ref: str
    code: str
    message: str


class AcquisitionFinished(Event, frozen=True, tag=True):
    """An acquisition ended: ``served``, ``quarantined``, ``rejected`` or ``failed``; ``code`` is that of the reason."""

    acquisition: str
    outcome: str
    server: str = ""
    code: str = ""


class Ranked(Event, frozen=True, tag=True):
    """Candidates were ranked; ``rows`` holds (ref, score, first reason) of the best ones."""

    need: str
    rows: tuple[tuple[str, float, str], ...]


class CandidatesLeftOut(Event, frozen=True, tag=True):
    """Candidates for a need do not meet what is required; ``reasons`` says which requirement left out how many."""

    need: str
    count: int
    reasons: str
