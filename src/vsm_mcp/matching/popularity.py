"""How much a package is used, 0…1, on one scale for registries that count differently."""

from __future__ import annotations

import math
from typing import Final

# npm counts mirrors and robots: a package nobody uses shows some 600 downloads a month, a popular server a million.
_NOBODY: Final = 2.8
_EVERYBODY: Final = 6.0
# PyPI's list gives places among the 15,000 most downloaded, the last of which is still well used.
_LAST_PLACE: Final = 15_000
_LAST_SHARE: Final = 0.5
_TOP_PLACE: Final = 100


def of_downloads(a_month: int) -> float:
    """Return the popularity of a package with so many downloads a month: logarithmic, 0 at 600, 1 at a million."""
    return max(0.0, min(1.0, (math.log10(max(1, a_month)) - _NOBODY) / (_EVERYBODY - _NOBODY)))


def of_rank(place: int) -> float:
    """Return the popularity of a package by its place among the most downloaded; 0 is "below them all"."""
    if place <= 0:
        return 0.0
    depth = math.log(max(1.0, place / _TOP_PLACE)) / math.log(_LAST_PLACE / _TOP_PLACE)
    return max(0.0, 1.0 - (1.0 - _LAST_SHARE) * min(depth, 1.5))
