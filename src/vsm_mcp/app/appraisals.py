"""The JSON document of ``search``, for other programs: more fields may be added, none taken away. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from vsm_mcp.app.finding import Found
from vsm_mcp.evaluation.requirements import LeftOut, counts
from vsm_mcp.install.choice import installable
from vsm_mcp.model.appraisal import Appraisal, Score

_SHOWN: Final = 160  # characters of what the publisher says, where nobody wrote a better line


def document(need: str, found: Found, limit: int) -> dict[str, Any]:
    """Return the document: the best candidates, how they were weighed, and what was left out for which requirement."""
    addable = installable()
    return {
        "need": need,
        "candidates": [_candidate(appraisal, addable) for appraisal in found.ranked[:limit]],
        "found": len(found.ranked),
        "sources": found.sources,
        "weights": {name: round(weight, 6) for name, weight in found.weights.items()},
        "wants": msgspec.to_builtins(found.wants),
        "left_out": {
            "count": len(found.left_out),
            "requirements": {
                requirement.value: {"count": count, "not_known": unknown}
                for requirement, (count, unknown) in counts(found.left_out).items()
            },
            "candidates": [_left_out(each) for each in found.left_out],
        },
    }


def _candidate(appraisal: Appraisal, addable: frozenset[str]) -> dict[str, Any]:
    candidate = appraisal.candidate
    return {
        "ref": str(candidate.ref),
        "name": candidate.name,
        "description": candidate.description or candidate.text[:_SHOWN],
        "score": round(appraisal.score, 4),
        "confidence": round(appraisal.confidence, 4),
        "criteria": {name: _score(score) for name, score in appraisal.criteria.items()},
        "tags": list(candidate.tags),
        "capabilities": candidate.capabilities,
        "answers": list(candidate.answers),
        "tools": [name for name, _ in candidate.tools],
        "nearest": candidate.nearest and {"tool": candidate.nearest[0], "near": candidate.nearest[1]},
        "reasons": list(appraisal.reasons),
        "sources": list(candidate.all_sources),
        "others": [str(each.ref) for each in candidate.others],
        "version": candidate.facts.version,
        "installed": candidate.installed,
        "addable": candidate.ref.kind.value in addable,
        "recommended": candidate.facts.recommended,
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "score": round(score.score, 4),
        "confidence": round(score.confidence, 4),
        "facts": [{"text": fact.text, "source": fact.source} for fact in score.facts],
    }


def _left_out(one: LeftOut) -> dict[str, Any]:
    unmet = [{"requirement": each.requirement.value, "why": each.why, "known": each.known} for each in one.unmet]
    return {"ref": one.ref, "unmet": unmet}
