"""How much each criterion counts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from vsm_mcp.errors import ConfigError
from vsm_mcp.model.wants import Priority

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

PRIORITIES: Final[Mapping[Priority, Mapping[str, float]]] = {
    Priority.BALANCED: WEIGHTS,
    Priority.SECURITY: {
        "capability": 0.25,
        "security": 0.35,
        "performance": 0.08,
        "maintenance": 0.15,
        "adoption": 0.07,
        "compatibility": 0.04,
        "documentation": 0.02,
        "licence": 0.04,
    },
    Priority.PERFORMANCE: {
        "capability": 0.25,
        "security": 0.15,
        "performance": 0.33,
        "maintenance": 0.10,
        "adoption": 0.07,
        "compatibility": 0.06,
        "documentation": 0.02,
        "licence": 0.02,
    },
}
"""The weights of each priority; each adds up to 1."""

OTHER: Final = 0.05


def weights_of(priority: Priority, own: Mapping[str, float], criteria: Collection[str]) -> dict[str, float]:
    """Return the weight of each of the ``criteria``, adding up to 1: the user's ``own``, else the priority's.

    Raises :class:`ConfigError` for a weight of a criterion that there is none of, and when nothing counts.
    """
    unknown = sorted(own.keys() - set(criteria))
    if unknown:
        raise ConfigError(
            f"[appraisal] weights: no criterion is called {unknown[0]!r}", f"criteria: {', '.join(sorted(criteria))}"
        )
    preset = PRIORITIES[priority]
    given = {name: own.get(name, preset.get(name, OTHER)) for name in sorted(criteria)}
    whole = sum(given.values())
    if whole <= 0:
        raise ConfigError("[appraisal] weights: nothing counts", "give one criterion a weight above 0")
    return {name: weight / whole for name, weight in given.items()}
