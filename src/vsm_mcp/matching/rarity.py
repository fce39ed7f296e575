"""What a word weighs by how few hold it, and how soon its repetitions stop to count: the two constants of BM25."""

from __future__ import annotations

import math
from typing import Final

K1: Final = 1.2


def idf(documents: int, holding: int) -> float:
    """Return the inverse document frequency of a term that ``holding`` of ``documents`` hold; never negative."""
    return math.log(1.0 + (documents - holding + 0.5) / (holding + 0.5))
