"""How bad a vulnerability is by its CVSS vector. Pure.

CVSS 3.0 and 3.1 base scores (FIRST, "Common Vulnerability Scoring System v3.1: Specification", section 7.1); the
scales are those of section 5. Vectors of other versions are not understood: the level is unknown.
"""

from __future__ import annotations

from typing import Final

_WEIGHTS: Final = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES: Final = {
    "U": {"N": 0.85, "L": 0.62, "H": 0.27},
    "C": {"N": 0.85, "L": 0.68, "H": 0.5},
}
_SCALE: Final = ((9.0, "critical"), (7.0, "high"), (4.0, "moderate"), (0.0, "low"))


def score(vector: str) -> float | None:
    """Return the base score (0…10) of a vector of CVSS 3.x, or ``None``."""
    head, *parts = vector.strip().split("/")
    if head not in {"CVSS:3.0", "CVSS:3.1"}:
        return None
    given = dict(part.partition(":")[::2] for part in parts)
    try:
        scope = given["S"]
        weigh = {name: table[given[name]] for name, table in _WEIGHTS.items()}
        privileges = _PRIVILEGES[scope][given["PR"]]
    except KeyError:
        return None
    lost = 1 - (1 - weigh["C"]) * (1 - weigh["I"]) * (1 - weigh["A"])
    impact = 6.42 * lost if scope == "U" else 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * weigh["AV"] * weigh["AC"] * privileges * weigh["UI"]
    total = impact + exploitability
    return _rounded_up(min(total if scope == "U" else 1.08 * total, 10.0))


def level(vector: str) -> str:
    """Return ``low``, ``moderate``, ``high``, ``critical``, or ``unknown`` for a vector that is not understood."""
    base = score(vector)
    return "unknown" if base is None else next(word for least, word in _SCALE if base >= least)


def _rounded_up(number: float) -> float:
    """Return the number rounded up to one decimal, as appendix A of the specification does it."""
    scaled = round(number * 100_000)
    return scaled / 100_000 if scaled % 10_000 == 0 else (scaled // 10_000 + 1) / 10
