"""What became of the calls to one target: counts, and the first words of what went wrong."""

from __future__ import annotations

from typing import Final

from vsm_mcp.bench.question import DOUBLED, FAILED, LOST, RIGHT, WRONG

_EXAMPLES: Final = 5
_WORDS: Final = 200


class Tally:
    """Counts of fates; ``examples`` holds the first few of those that are not :data:`RIGHT`."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys((RIGHT, WRONG, FAILED, LOST, DOUBLED), 0)
        self.examples: list[str] = []

    def add(self, fate: str, words: str = "") -> None:
        """Count one call."""
        self.counts[fate] += 1
        if fate != RIGHT and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{fate}: {words[:_WORDS]}")

    @property
    def faults(self) -> int:
        """How many were not answered as they should be."""
        return sum(self.counts.values()) - self.counts[RIGHT]
