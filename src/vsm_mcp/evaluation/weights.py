"""How much each criterion counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WEIGHTS: Final[Mapping[str, float]] = {
    "capability": 0.30,
    "security": 0.20,
    "performance": 0.15,
    "maintenance": 0.15,
    "adoption": 0.10,
    "compatibility": 0.05,
    "documentation": 0.03,
    "licence": 0.02,
}
"""The default weights; they add up to 1. A criterion that is not named here counts :data:`OTHER`."""

OTHER: Final = 0.05
