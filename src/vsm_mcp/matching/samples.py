"""What a need calls for, told by sample needs: every capability has some, and so has what no program can do.

"Put lunch with Anna in my diary" shares no word with a calendar, but is near other things that people say when they
want one. A need is compared with all samples; a class scores by the mean cosine of its nearest ones, and the scores
become shares by a softmax. How many count was chosen so that samples, each left out in turn, are told likeliest; at
which temperature, on needs in everyday words (``tests/unit/discovery/everyday.toml``). The last class is what is out of
scope ("iron my shirts").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from vsm_mcp.matching.meaning import Floats, Table
from vsm_mcp.matching.need import OUT_OF_SCOPE

NEAREST: Final = 5
"""So many of the nearest samples of a class count."""

TEMPERATURE: Final = 0.025
"""By so much (cosine) nearer, a class is e times as likely."""

LEAST: Final = 0.02
"""Shares below it are left out."""


class Samples:
    """The samples of each of ``tags``, as many for every one, then those of what is out of scope; a row for each.

    ``vectors`` are of length 1, of the model that embeds the needs. Raises ``ValueError`` for too few of them.
    """

    def __init__(self, tags: Sequence[str], vectors: Floats, of_each: int) -> None:
        if min(of_each, len(vectors) - len(tags) * of_each) < NEAREST:
            raise ValueError(f"{len(vectors)} samples are too few for {len(tags)} capabilities")
        self._names = [*tags, OUT_OF_SCOPE]
        self._shape = len(tags), of_each
        self._table = Table(vectors)

    def shares(self, vector: Floats) -> Mapping[str, float]:
        """Return how likely (0…1) a need calls for each capability, without those that hardly count."""
        cosines = self._table.near(vector)
        end = self._shape[0] * self._shape[1]
        scores = np.append(_nearest(cosines[:end].reshape(self._shape)), _nearest(cosines[None, end:]))
        shares = np.exp((scores - scores.max()) / np.float32(TEMPERATURE))
        shares /= shares.sum()
        return {self._names[place]: float(shares[place]) for place in np.flatnonzero(shares >= LEAST)}


def _nearest(cosines: Floats) -> Floats:
    """Return the mean of the greatest of each row."""
    least = cosines.shape[1] - NEAREST
    means: Floats = np.partition(cosines, least, axis=1)[:, least:].mean(axis=1)
    return means
