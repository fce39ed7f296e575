"""Candidates in order for a need, with reasons. Pure.

The total is the mean of the criteria, each counting by its weight times its confidence, drawn towards one half by what
is not known, and times the capability match: one that does something else is worth little, however well kept it is.
One that certainly cannot run on this machine is worth half. It rises with every criterion's score, and equal totals are
ordered by reference, so that the order is total and does not depend on how the candidates came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vsm_mcp.evaluation.criterion import UNKNOWN, Circumstances, Criterion
from vsm_mcp.evaluation.weights import OTHER, WEIGHTS
from vsm_mcp.model.appraisal import Appraisal, Score
from vsm_mcp.model.candidate import Candidate

PRIOR: Final = 0.35
"""The weight of "nothing is known yet", at one half: three facts do not outweigh thirty."""

CAPABILITY: Final = "capability"
COMPATIBILITY: Final = "compatibility"
_HARDLY: Final = 0.1
_REASONS: Final = 5
_TELLING: Final = ("capability", "security", "adoption", "compatibility", "maintenance", "licence", "performance")


def rank(
    candidates: Iterable[Candidate],
    criteria: Sequence[Criterion],
    circumstances: Circumstances,
    weights: Mapping[str, float] = WEIGHTS,
) -> list[Appraisal]:
    """Return an appraisal of each candidate, best first. Never raises for what a criterion does."""
    appraised = [appraise(candidate, criteria, circumstances, weights) for candidate in candidates]
    return sorted(appraised, key=order)


def order(appraisal: Appraisal) -> tuple[float, float, str, str]:
    """Return the key of the total order: score, then confidence, then reference."""
    ref = appraisal.candidate.ref
    return (-appraisal.score, -appraisal.confidence, ref.identity, str(ref))


def appraise(
    candidate: Candidate, criteria: Sequence[Criterion], circumstances: Circumstances, weights: Mapping[str, float]
) -> Appraisal:
    """Return one candidate's scores, total and reasons."""
    scores = {criterion.name: _score(criterion, candidate, circumstances) for criterion in criteria}
    score, confidence = total(scores, weights)
    return Appraisal(
        candidate=candidate, score=score, confidence=confidence, criteria=scores, reasons=_reasons(candidate, scores)
    )


def total(scores: Mapping[str, Score], weights: Mapping[str, float]) -> tuple[float, float]:
    """Return (score, confidence), each 0…1, from the criteria's scores."""
    gained, counted, asked = 0.5 * PRIOR, PRIOR, 0.0
    for name, score in scores.items():
        weight = weights.get(name, OTHER)
        asked += weight
        counted += weight * score.confidence
        gained += weight * score.confidence * score.score
    capability = scores.get(CAPABILITY)
    fit = capability.score if capability is not None else 1.0
    whole = gained / counted * fit * _runs(scores.get(COMPATIBILITY))
    return round(whole, 9), round((counted - PRIOR) / asked, 9) if asked else 0.0


def _runs(compatibility: Score | None) -> float:
    """Return 1 for what may run here, falling to one half as its compatibility falls from a tenth to a certain zero."""
    if compatibility is None:
        return 1.0
    return 1.0 - 0.5 * compatibility.confidence * (1.0 - min(1.0, compatibility.score / _HARDLY))


def _score(criterion: Criterion, candidate: Candidate, circumstances: Circumstances) -> Score:
    try:
        given = criterion.score(candidate, circumstances)
        score, confidence = float(given.score), float(given.confidence)
        if not (0.0 <= score <= 1.0 and 0.0 <= confidence <= 1.0):
            return UNKNOWN
    except Exception:  # noqa: BLE001 - a criterion may be a plug-in; one that fails knows nothing
        return UNKNOWN
    return given


def _reasons(candidate: Candidate, scores: Mapping[str, Score]) -> tuple[str, ...]:
    """Return what a person should read first: one fact a criterion, in the order in which criteria tell most."""
    told = [text for name in _TELLING if name in scores for text in _telling(scores[name])[:2]]
    if candidate.installed:
        told.insert(0, "installed already")
    return tuple(dict.fromkeys(told))[:_REASONS]


def _telling(score: Score) -> list[str]:
    return [fact.text for fact in score.facts if fact.telling]
