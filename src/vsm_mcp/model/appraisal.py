"""What a candidate is worth for a need, and why."""

from __future__ import annotations

import msgspec

from vsm_mcp.model.candidate import Candidate


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion's answer: ``score`` and ``confidence`` in 0…1, ``facts`` in words a person reads."""

    score: float
    confidence: float
    facts: tuple[str, ...] = ()


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's total for one need, its criteria by name, and the reasons that weigh most."""

    candidate: Candidate
    score: float
    confidence: float
    criteria: dict[str, Score]
    reasons: tuple[str, ...] = ()
