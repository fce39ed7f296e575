"""Performance, before anything was measured: what its kind costs in start and calls."""

from __future__ import annotations

from typing import Final

from vsm_mcp.evaluation.criterion import Circumstances, Evidence
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.ref import RefKind

_START: Final = {RefKind.NPM: 0.75, RefKind.PYPI: 0.7, RefKind.OCI: 0.4, RefKind.REMOTE: 0.6}


class Performance:
    """A guess from facts that bear on it, and said to be no more: its confidence stays below one half."""

    name = "performance"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known: direct dependencies 2, network 2, kind 1."""
        evidence, launch, facts = Evidence(), candidate.launch, candidate.facts
        small = None if facts.dependencies is None else 1.0 - min(facts.dependencies, 40) / 50
        evidence.add(2, small)
        local = None if launch is None or launch.network is None else 0.5 if launch.network else 0.95
        evidence.add(2, local, "answers from this machine" if local == 0.95 else "")
        evidence.add(1, _START.get(candidate.ref.kind))
        total = evidence.total()
        return Score(score=total.score, confidence=0.45 * total.confidence, facts=(*total.facts, "not measured yet"))
