"""Capability match: how well what a candidate says of itself fits the need, and how near one of its tools comes."""

from __future__ import annotations

from typing import Final

from vsm_mcp.evaluation.criterion import Circumstances, told
from vsm_mcp.model.appraisal import Fact, Score
from vsm_mcp.model.candidate import Candidate

# Above it differences are of wording (a word of the need against a tag that stands for it), not of what a thing does.
_FULL: Final = 0.92
# What is of the right kind without a tool that does it keeps so much less; what has no known tool lies between.
_BY_TOOL: Final = 0.25
_NOT_KNOWN: Final = 0.4
_CURATED: Final = 0.95
_DESCRIBED: Final = 0.85
_NAMED: Final = 0.7


class Capability:
    """Reads ``relevance``, which discovery computed with one yardstick for all sources."""

    name = "capability"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return the relevance, full from :data:`_FULL` on, less what no tool is known for.

        It is surer where our words or the registry's describe the candidate.
        """
        sure = _CURATED if candidate.curated or candidate.installed else _DESCRIBED if candidate.text else _NAMED
        facts = [Fact(f"fits the need to {round(100 * candidate.relevance)} %", "matching")]
        if candidate.answers:
            facts.append(Fact(f"has what is called for: {', '.join(candidate.answers)}", "matching", telling=False))
        if candidate.tags:
            facts.append(told(candidate, "tags", f"tags: {', '.join(candidate.tags)}", telling=False))
        near = _NOT_KNOWN
        if candidate.nearest is not None:
            tool, near = candidate.nearest
            facts.append(Fact(f"its tool {tool} comes nearest ({round(100 * near)} %)", "matching", telling=False))
        score = min(1.0, candidate.relevance / _FULL) * (1.0 - _BY_TOOL * (1.0 - near))
        return Score(score=score, confidence=sure, facts=tuple(facts))
