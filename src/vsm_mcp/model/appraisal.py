"""What a candidate is worth for a need, and why."""

from __future__ import annotations

import msgspec

from vsm_mcp.model.candidate import Candidate


class Fact(msgspec.Struct, frozen=True):
    """One thing a criterion went by, in words a person reads, and whose word it is.

    ``source`` is a source of candidates by name (``registry``, ``index``, …), or ``machine`` (seen here), ``given``
    (said by the user), ``matching`` (computed from the texts), ``kind`` (follows from what kind of thing it is) or
    ``experience`` (learned from use). ``telling`` says that a person should see it without asking for every fact.
    """

    text: str
    source: str = ""
    telling: bool = True


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion's answer: ``score`` and ``confidence`` in 0…1, the ``facts`` it used, the most telling first."""

    score: float
    confidence: float
    facts: tuple[Fact, ...] = ()


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's total for one need, its criteria by name, and the reasons that weigh most."""

    candidate: Candidate
    score: float
    confidence: float
    criteria: dict[str, Score]
    reasons: tuple[str, ...] = ()
