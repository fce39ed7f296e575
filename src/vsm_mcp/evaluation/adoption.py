"""Community adoption: how many use it."""

from __future__ import annotations

from typing import Final

from vsm_mcp.evaluation.criterion import UNKNOWN, Circumstances
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate

_COUNTED: Final = 0.9
_RANKED: Final = 0.8
_BELOW: Final = 0.5
_BELOW_SCORE: Final = 0.15


class Adoption:
    """Downloads a month where the registry counts them, the place among the most downloaded elsewhere."""

    name = "adoption"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the popularity on the one scale of :mod:`vsm_mcp.matching.popularity`."""
        facts = candidate.facts
        if facts.downloads is not None:
            score = of_downloads(facts.downloads)
            return Score(score=score, confidence=_COUNTED, facts=(f"{facts.downloads:,} downloads a month",))
        if facts.download_rank:
            said = f"place {facts.download_rank:,} among the most downloaded"
            return Score(score=of_rank(facts.download_rank), confidence=_RANKED, facts=(said,))
        if facts.download_rank == 0:
            return Score(score=_BELOW_SCORE, confidence=_BELOW, facts=("not among the most downloaded",))
        return UNKNOWN
