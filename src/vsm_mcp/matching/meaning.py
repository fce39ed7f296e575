"""Texts as directions: what means something alike points alike, whatever words it uses.

A :class:`Meaning` turns texts into vectors of length 1; a :class:`Table` holds those of many things and says how near
each is to a need. This module brings numpy with it: it is imported by the first search, not before.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

UNREADABLE: Final = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
"""What numpy raises for a file that is not what it should be."""


class Meaning(Protocol):
    """Something that embeds texts."""

    @property
    def name(self) -> str:
        """What tells vectors of different makers apart."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def scale(self) -> tuple[float, float]:
        """The cosines of a thing that has nothing to do with a need, and of one that is just that."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text; zeros for a text of which nothing is known."""


class Table:
    """The vectors of many things, a row for each."""

    def __init__(self, vectors: Floats) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def near(self, vector: Floats) -> Floats:
        """Return the cosine of every row with one vector."""
        # Not `@`: on one row after the other BLAS is no quicker, and several times slower beside other work.
        near: Floats = np.einsum("ij,j->i", self._vectors, vector)
        return near

    def row(self, place: int) -> Floats:
        """Return one vector."""
        vector: Floats = self._vectors[place]
        return vector

    def rows(self, places: Sequence[int]) -> Floats:
        """Return some vectors."""
        vectors: Floats = self._vectors[places]
        return vectors


def squeezed(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return vectors as bytes, and the scale of each row: its greatest number is 127."""
    scales = np.abs(vectors).max(axis=1) / 127.0
    safe = np.where(scales > 0.0, scales, 1.0)
    return np.rint(vectors / safe[:, None]).astype(np.int8), scales.astype(np.float32)


def unsqueezed(rows: NDArray[np.int8], scales: NDArray[np.floating]) -> Floats:
    """Return the vectors that :func:`squeezed` made bytes of, as near as bytes are."""
    vectors: Floats = np.multiply(rows, scales.astype(np.float32)[:, None], dtype=np.float32)
    return vectors


def lines(text: NDArray[np.uint8]) -> list[str]:
    """Return the lines of a text that a file of arrays holds."""
    return bytes(text).decode().split("\n")[:-1]


def unit(vectors: Floats) -> Floats:
    """Return vectors brought to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.where(lengths > 0.0, lengths, 1.0)).astype(np.float32)
    return scaled


def spread(scores: Floats, among: int) -> Floats:
    """Return scores brought to 0…1: the greatest is 1, the least of the ``among`` greatest 0, and all below it.

    All are 0 where they are all alike.
    """
    if not len(scores):
        return scores
    low, high = float(np.partition(scores, -min(among, len(scores)))[-min(among, len(scores))]), float(scores.max())
    if high <= low:
        return np.zeros_like(scores)
    scaled: Floats = np.maximum(scores - np.float32(low), 0.0) / np.float32(high - low)
    return scaled


def best(scores: Floats, limit: int) -> list[int]:
    """Return the places of the ``limit`` greatest scores, best first; of equal ones the earlier first."""
    if limit < len(scores):
        least = np.partition(scores, -limit)[-limit] if limit > 0 else np.inf
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    order = np.lexsort((places, -scores[places]))[: max(0, limit)]
    return [int(place) for place in places[order]]
