"""How sure a share is that was counted of so many. Pure."""

from __future__ import annotations

import math


def wilson(share: float, count: float, sigmas: float) -> tuple[float, float]:
    """Return the lower and upper end of Wilson's interval for a share (0…1) of ``count`` (above 0).

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    """
    square = sigmas * sigmas
    centre = share + square / (2 * count)
    spread = sigmas * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return (centre - spread) / (1 + square / count), (centre + spread) / (1 + square / count)
