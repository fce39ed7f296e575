"""What was seen of one server while it was tried and used here."""

from __future__ import annotations

import math
from typing import Final

import msgspec

HALF_LIFE_SECONDS: Final = 90 * 86_400.0
"""After so long, what was seen counts half: servers change, and one that failed a year ago may have been mended."""


class Experience(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what happened to a server, whatever its version was; no whole numbers, because they fade with time.

    ``cleared`` counts admissions that vetting had nothing against, ``objected`` those that it refused or held back for
    a person. ``trials_passed`` and ``trials_failed`` are runs in the sandbox, ``rolled_back`` admissions that were
    undone because it could not be installed. ``admitted`` and ``removed`` are how often it came into the catalogue and
    was taken out by somebody. ``crashed`` counts processes that ended by themselves or never came up. ``answered``
    calls got an answer, ``lost`` ones got none (no answer in time, the connection broke). ``log_seconds`` is the sum of
    the natural logarithms of how long those answers took.

    How calls failed, by class: ``timed_out`` and ``broken`` are among the lost; ``tool_errors`` and ``refused`` among
    the answered (the tool's own word, and JSON-RPC errors); ``garbled`` ones were answered with what is no MCP.
    ``approved`` and ``denied`` are what people said of it, ``reverted`` how often a newer version had to give way to
    the one before: found worse in a rollout, or rolled back.
    """

    cleared: float = 0.0
    objected: float = 0.0
    trials_passed: float = 0.0
    trials_failed: float = 0.0
    rolled_back: float = 0.0
    admitted: float = 0.0
    removed: float = 0.0
    crashed: float = 0.0
    answered: float = 0.0
    lost: float = 0.0
    log_seconds: float = 0.0
    timed_out: float = 0.0
    broken: float = 0.0
    tool_errors: float = 0.0
    refused: float = 0.0
    garbled: float = 0.0
    approved: float = 0.0
    denied: float = 0.0
    reverted: float = 0.0

    def __add__(self, more: Experience) -> Experience:
        return Experience(**{name: getattr(self, name) + getattr(more, name) for name in self.__struct_fields__})

    def faded(self, seconds: float) -> Experience:
        """Return what it counts for after so long: half after :data:`HALF_LIFE_SECONDS`."""
        kept = 0.5 ** (max(0.0, seconds) / HALF_LIFE_SECONDS)
        return Experience(**{name: kept * getattr(self, name) for name in self.__struct_fields__})

    @property
    def typical_seconds(self) -> float | None:
        """How long an answer takes: the geometric mean, which one slow call in a hundred hardly moves."""
        return math.exp(self.log_seconds / self.answered) if self.answered > 0 else None
