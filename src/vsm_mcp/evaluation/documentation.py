"""Documentation: whether a user can learn what it does before running it."""

from __future__ import annotations

from vsm_mcp.evaluation.criterion import Circumstances, Evidence, told
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate


class Documentation:
    """The read-me's length, a home page and a description."""

    name = "documentation"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the mean of what is known: read-me 3, repository or home page 2, description 1."""
        evidence, facts = Evidence(), candidate.facts
        length = facts.readme_length
        if length is None:
            evidence.add(3, None)
        else:
            said = f"a read-me of {length:,} characters" if length else "no read-me"
            evidence.add(3, min(1.0, length / 4000), told(candidate, "facts.readme_length", said))
        place = "repository" if facts.repository else "homepage"
        found = facts.repository or facts.homepage
        evidence.add(2, 1.0 if found else None, told(candidate, f"facts.{place}", found) if found else None)
        word = "description" if candidate.description else "text"
        described = candidate.description or candidate.text
        evidence.add(1, 1.0 if described else None, told(candidate, word, "it is described") if described else None)
        return evidence.total()
