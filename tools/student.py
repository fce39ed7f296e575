"""The static model while it learns: vectors of words and pairs, and the layer that turns their sums; build time only.

What a text's vector should be moved by flows back to the rows that were summed and to the layer. Adam takes the steps
(D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*, 2015); a row is moved only where a text holds it.
The pace falls to nothing along half a cosine. Seeds are fixed: the same texts give the same model but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.matching.meaning import Floats

HIDDEN: Final = 1024
_PAST, _PAST_SQUARES, _LEAST = 0.9, 0.99, 1e-8
_SHORTEST: Final = 1e-6


class Bags(NamedTuple):
    """Which words and pairs each of many texts holds: those of text ``n`` are ``held[ends[n]:ends[n + 1]]``."""

    held: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Bags:
        """Return what the rows of each text make."""
        held = np.array([number for row in rows for number in row], np.int64)
        return cls(held, np.cumsum([0, *map(len, rows)]))

    def some(self, places: NDArray[np.int64]) -> Bags:
        """Return those of some texts."""
        starts, sizes = self.ends[places], self.ends[places + 1] - self.ends[places]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        return Bags(self.held[np.repeat(starts - ends[:-1], sizes) + np.arange(ends[-1])], ends)

    def summed(self, rows: Floats) -> Floats:
        """Return for each text the sum of the rows that it holds."""
        sums = np.zeros((len(self.ends) - 1, rows.shape[1]), np.float32)
        full = np.flatnonzero(np.diff(self.ends))
        if len(full):
            sums[full] = np.add.reduceat(rows[self.held], self.ends[full])
        return sums

    def spread(self, slopes: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return which rows the texts hold, and for each of these the sum of what the texts that hold it slope."""
        order = np.argsort(self.held, kind="stable")
        which, starts = np.unique(self.held[order], return_index=True)
        texts = np.repeat(np.arange(len(slopes)), np.diff(self.ends))
        return which, np.add.reduceat(slopes[texts[order]], starts)


class Ahead(NamedTuple):
    """What was worked out on the way from texts to vectors: lengths are columns, ``vectors`` have length 1."""

    bags: Bags
    sums: Floats
    sum_lengths: Floats
    hidden: Floats
    lengths: Floats
    vectors: Floats


class Student:
    """``rows`` (a vector for each word and pair), and the layer ``up``, ``off``, ``down``."""

    def __init__(self, rows: Floats, seed: int = 7) -> None:
        chance, width = np.random.default_rng(seed), rows.shape[1]
        self.parts: list[Floats] = [
            rows.copy(),
            chance.normal(0.0, 1.0, (width, HIDDEN)).astype(np.float32),
            np.zeros(HIDDEN, np.float32),
            np.zeros((HIDDEN, width), np.float32),
        ]

    def ahead(self, bags: Bags) -> Ahead:
        """Return the vectors of texts."""
        rows, up, off, down = self.parts
        sums, sum_lengths = shortened(bags.summed(rows))
        hidden = np.maximum(sums @ up + off, 0.0)
        vectors, lengths = shortened(sums + hidden @ down)
        return Ahead(bags, sums, sum_lengths, hidden, lengths, vectors)

    def back(self, ahead: Ahead, slope: Floats) -> tuple[NDArray[np.int64], list[Floats]]:
        """Return which rows slope, and how these and the layer do, where a loss slopes so with the vectors."""
        _, up, _, down = self.parts
        turned = before(slope, ahead.vectors, ahead.lengths)
        behind = (turned @ down.T) * (ahead.hidden > 0.0)
        both: Floats = np.add(turned, behind @ up.T, dtype=np.float32)
        summed = before(both, ahead.sums, ahead.sum_lengths)
        which, rows = ahead.bags.spread(summed)
        return which, [rows, ahead.sums.T @ behind, behind.sum(axis=0), ahead.hidden.T @ turned]


class Steps:
    """Moves a student, ``many`` times in all: its rows at ``pace``, its layer at ``pace_of_layer``."""

    def __init__(self, student: Student, many: int, pace: float, pace_of_layer: float) -> None:
        self._student, self._many, self._taken = student, many, 0
        self._paces = [pace, *[pace_of_layer] * 3]
        self._past = [np.zeros_like(part) for part in student.parts]
        self._squares = [np.zeros_like(part) for part in student.parts]
        self._times = [np.zeros((len(part), *[1] * (part.ndim - 1)), np.float32) for part in student.parts]

    def take(self, ahead: Ahead, slope: Floats) -> None:
        """Take one step against the slope of a loss with each number of the vectors."""
        slowing = 0.5 * (1.0 + float(np.cos(np.pi * self._taken / self._many)))
        self._taken += 1
        which, slopes = self._student.back(ahead, slope)
        for place, own in enumerate(slopes):
            self._move(place, which if place == 0 else np.arange(len(own)), own, self._paces[place] * slowing)

    def _move(self, place: int, which: NDArray[np.int64], slopes: Floats, pace: float) -> None:
        past, squares, times = (kept[place] for kept in (self._past, self._squares, self._times))
        times[which] += 1.0
        past[which] += (1.0 - _PAST) * (slopes - past[which])
        squares[which] += (1.0 - _PAST_SQUARES) * (np.square(slopes) - squares[which])
        size = np.sqrt(squares[which] / (1.0 - _PAST_SQUARES ** times[which])) + _LEAST
        step = pace * past[which] / (1.0 - _PAST ** times[which]) / size
        self._student.parts[place][which] -= step.astype(np.float32)


def shortened(vectors: Floats) -> tuple[Floats, Floats]:
    """Return vectors brought to length 1, and the lengths (a column) that they had."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _SHORTEST)
    return (vectors / lengths).astype(np.float32), lengths


def before(slope: Floats, vectors: Floats, lengths: Floats) -> Floats:
    """Return how a loss slopes with vectors before they were brought to length 1, where it slopes so after it."""
    flat: Floats = (slope - (slope * vectors).sum(axis=1, keepdims=True) * vectors) / lengths
    return flat
