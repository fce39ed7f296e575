"""Community adoption: how many use it, and whether those who took it in here kept it."""

from __future__ import annotations

import math
from typing import Final

from vsm_mcp.evaluation.criterion import UNKNOWN, Circumstances, told
from vsm_mcp.evaluation.learned import Seen
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.experience import Experience

_COUNTED: Final = 0.9
_RANKED: Final = 0.8
_BELOW: Final = 0.5
_BELOW_SCORE: Final = 0.15
_STARRED: Final = 0.6
_MOST_STARS: Final = 5.0  # 100,000, as a power of ten
_STRENGTH: Final = 4.0


class Adoption:
    """Downloads a month where the registry counts them, the place among the most downloaded or the stars elsewhere.

    Somebody who takes a server out again says that it was not wanted; one that stays says the contrary.
    """

    name = "adoption"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the popularity on the one scale of :mod:`vsm_mcp.matching.popularity`, with how often it was kept."""
        seen = circumstances.experience.get(candidate.ref.identity)
        popular = _popularity(candidate)
        return popular if seen is None else _kept(seen).onto(popular, _STRENGTH)


def _popularity(candidate: Candidate) -> Score:
    facts = candidate.facts
    if facts.downloads is not None:
        fact = told(candidate, "facts.downloads", f"{facts.downloads:,} downloads a month")
        return Score(score=of_downloads(facts.downloads), confidence=_COUNTED, facts=(fact,))
    if facts.download_rank:
        said = f"place {facts.download_rank:,} among the most downloaded"
        fact = told(candidate, "facts.download_rank", said)
        return Score(score=of_rank(facts.download_rank), confidence=_RANKED, facts=(fact,))
    if facts.download_rank == 0:
        fact = told(candidate, "facts.download_rank", "not among the most downloaded")
        return Score(score=_BELOW_SCORE, confidence=_BELOW, facts=(fact,))
    if facts.stars is not None:
        score = min(1.0, math.log10(1 + facts.stars) / _MOST_STARS)
        fact = told(candidate, "facts.stars", f"{facts.stars:,} stars of its repository")
        return Score(score=score, confidence=_STARRED, facts=(fact,))
    return UNKNOWN


def _kept(experience: Experience) -> Seen:
    seen = Seen()
    seen.happened(experience.removed, 0.0, "taken out again here {}")
    kept = experience.admitted - experience.removed
    if kept > 0:
        seen.add(kept, 1.0)
    return seen
