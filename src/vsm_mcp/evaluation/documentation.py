"""Documentation: whether a user can learn what it does before running it."""

from __future__ import annotations

from vsm_mcp.evaluation.criterion import Circumstances, Evidence
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate


class Documentation:
    """The read-me's length, a home page and a description."""

    name = "documentation"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known: read-me 3, repository or home page 2, description 1."""
        evidence, facts = Evidence(), candidate.facts
        length = facts.readme_length
        fact = "" if length is None else f"a read-me of {length:,} characters" if length else "no read-me"
        evidence.add(3, None if length is None else min(1.0, length / 4000), fact)
        evidence.add(2, 1.0 if facts.repository or facts.homepage else None)
        evidence.add(1, 1.0 if candidate.description or candidate.text else None)
        return evidence.total()
