"""Maintenance: when it was last released, and whether its author gave it up."""

from __future__ import annotations

from typing import Final

from vsm_mcp.evaluation.criterion import Circumstances, Evidence, told
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.moments import moment

_MONTH: Final = 30.44 * 86_400
_FRESH: Final = 4.0
_OLD: Final = 30.0


class Maintenance:
    """The age of the last release, a deprecation, the version and who maintains it."""

    name = "maintenance"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known: age 5, version 1, maintainers 1; a deprecated package gets nothing."""
        evidence, facts = Evidence(), candidate.facts
        if facts.deprecated:
            fact = told(candidate, "facts.deprecated", "deprecated by its author")
            return Score(score=0.0, confidence=1.0, facts=(fact,))
        age = age_in_months(facts.published, circumstances.now)
        released = None if age is None else told(candidate, "facts.published", _words(age))
        evidence.add(5, _freshness(age), released)
        version = facts.version
        stable = None if not version else 0.8 if not version.startswith("0.") else 0.5
        numbered = told(candidate, "facts.version", f"version {version}", telling=False) if version else None
        evidence.add(1, stable, numbered)
        count = facts.maintainers
        people = None if count is None else told(candidate, "facts.maintainers", f"{count} maintainers", telling=False)
        evidence.add(1, None if count is None else min(1.0, 0.5 + count / 6), people)
        return evidence.total()


def age_in_months(published: str | None, now: float) -> float | None:
    """Return the months since an ISO 8601 day, month or instant; ``None`` for none or one that cannot be read."""
    if not published:
        return None
    instant = moment(f"{published}-15" if len(published) == 7 else published)
    return max(0.0, (now - instant.timestamp()) / _MONTH) if instant is not None else None


def _freshness(months: float | None) -> float | None:
    if months is None:
        return None
    return 1.0 - 0.85 * min(1.0, max(0.0, (months - _FRESH) / (_OLD - _FRESH)))


def _words(months: float) -> str:
    count = round(months)
    if count < 1:
        return "released this month"
    if count < 24:
        return f"released {count} month{'s' if count > 1 else ''} ago"
    return f"released {months / 12:.0f} years ago"
