"""How much may arrive unasked: what goes beyond it has to wait, so that a flood slows its sender and nobody else."""

from __future__ import annotations

import time
from typing import Final

RATE: Final = 4 * 1024 * 1024
"""Bytes a second, for as long as you like."""

BURST: Final = 8 * 1024 * 1024
"""Bytes at once, after a time of rest."""


class Allowance:
    """Fills by :data:`RATE` up to :data:`BURST`; spending beyond what is there is owed."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at = time.monotonic()

    def spend(self, size: int) -> float:
        """Take note of bytes; return for how many seconds no more should be taken."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * RATE, BURST) - size
        self._at = now
        return max(-self._left / RATE, 0.0)

    def renew(self) -> None:
        """Forget what is owed: the end is near, and what is left is to be taken."""
        self._left = float(BURST)
