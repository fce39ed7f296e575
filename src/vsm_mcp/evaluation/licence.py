"""Licence: whether its terms let people use it at work."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.evaluation.criterion import UNKNOWN, Circumstances, told
from vsm_mcp.model.appraisal import Score
from vsm_mcp.model.candidate import Candidate

# SPDX identifiers and the spellings registries hold, by how freely the work may be used; the first that matches counts.
_FAMILIES: Final = (
    (0.2, "source-available or proprietary", r"busl|bsl-1\.1|sspl|elastic|commons|proprietary|unlicensed"),
    (0.6, "strong copyleft", r"\bagpl|affero"),
    (0.85, "weak copyleft", r"\blgpl|lesser|\bmpl|mozilla|\bepl|eclipse"),
    (0.75, "copyleft", r"\bgpl|general public|\beupl|cc-by-sa"),
    (1.0, "permissive", r"\bmit\b|apache|bsd\b|\bisc\b|unlicense\b|cc0|zlib|psf|public domain|wtfpl|blueoak|bsl-1\.0"),
)  # fmt: skip
_LENGTH: Final = 120


class Licence:
    """What the registry gives as the licence; vetting reads the files themselves."""

    name = "licence"

    def score(self, candidate: Candidate, circumstances: Circumstances) -> Score:
        """Return how freely it may be used; unknown where the registry is silent."""
        given = candidate.facts.licence
        if not given:
            return UNKNOWN
        for score, family, pattern in _FAMILIES:
            if re.search(pattern, given[:_LENGTH], re.IGNORECASE):
                fact = told(candidate, "facts.licence", f"licence {given[:40]} ({family})")
                return Score(score=score, confidence=0.9, facts=(fact,))
        fact = told(candidate, "facts.licence", f"licence {given[:40]}, of a kind not known here")
        return Score(score=0.5, confidence=0.3, facts=(fact,))
