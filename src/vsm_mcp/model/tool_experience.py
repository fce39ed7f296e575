"""What was seen of one tool while it was used here, and what that is worth when tools are ranked for a need; pure.

Each call that was answered is worth ``1 / (1 + t)``, ``t`` being how long that took in seconds (the upper bound of the
bucket it was counted in); one that was answered with the tool's own error 0.3 less, one that the server refused with a
JSON-RPC error 0.6 less, and one that ended in a fault of the server nothing. Before anything is seen a tool is worth
:data:`PRIOR`, which counts as :data:`STRENGTH` calls. After ``n`` calls with the values ``v`` the quality is

    q = (STRENGTH·PRIOR + Σv) / (STRENGTH + n), at least 0

(the shrinkage of :mod:`vsm_mcp.evaluation.learned`), and the score of the text match is multiplied by
``1 + SWAY·(q − PRIOR)``: by exactly 1 where nothing was seen, by no less than 0.88 and no more than 1.03 whatever was.
So experience decides between tools that fit about equally well; it never lifts one that fits badly.
"""

from __future__ import annotations

from typing import Final

import msgspec

from vsm_mcp.model.experience import HALF_LIFE_SECONDS

PRIOR: Final = 0.8
STRENGTH: Final = 20.0
SWAY: Final = 0.15
_TOOL_ERROR: Final = 0.3
_REFUSED: Final = 0.6


class ToolExperience(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts of how calls of a tool ended, and the sum of ``1 / (1 + t)`` over those answered; they fade with time."""

    answered: float = 0.0
    tool_errors: float = 0.0
    refused: float = 0.0
    faults: float = 0.0
    quick: float = 0.0

    def __add__(self, more: ToolExperience) -> ToolExperience:
        return ToolExperience(**{name: getattr(self, name) + getattr(more, name) for name in self.__struct_fields__})

    def faded(self, seconds: float) -> ToolExperience:
        """Return what it counts for after so long."""
        kept = 0.5 ** (max(0.0, seconds) / HALF_LIFE_SECONDS)
        return ToolExperience(**{name: kept * getattr(self, name) for name in self.__struct_fields__})

    @property
    def calls(self) -> float:
        """How many calls count."""
        return self.answered + self.tool_errors + self.refused + self.faults

    @property
    def quality(self) -> float:
        """What the tool is worth, 0…1."""
        worth = self.quick - _TOOL_ERROR * self.tool_errors - _REFUSED * self.refused
        return max(0.0, (STRENGTH * PRIOR + worth) / (STRENGTH + self.calls))

    @property
    def factor(self) -> float:
        """What the score of a text match is multiplied by."""
        return 1.0 + SWAY * (self.quality - PRIOR) if self.calls > 0 else 1.0
