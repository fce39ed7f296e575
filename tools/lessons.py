"""What the static model is taught by: a teacher's vectors of texts, then which need belongs to which tool; build time.

The second lesson compares each need of a batch with every tool of it: its own is to be the nearest (A. van den Oord
et al.: *Representation Learning with Contrastive Predictive Coding*, 2018). What was learned before holds it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tools.model_pairs import Pair
from tools.student import Bags, Steps, Student, before, shortened

from vsm_mcp.matching.meaning import Floats
from vsm_mcp.matching.static_model import Rows
from vsm_mcp.matching.tools import CONTEXT

_SEED: Final = 7
_TEXTS, _TURNS, _PACE, _PACE_OF_LAYER = 2_048, 12, 2e-3, 5e-4
_PAIRS, _BATCHES, _FINE, _FINE_OF_LAYER = 1_024, 300, 2e-4, 5e-5
_TOGETHER: Final = 8  # pairs of one package in a batch: its other tools are what a need is to be told from
_SHARPNESS: Final = 0.07
_ALIKE: Final = 0.75
_HELD: Final = 4.0


def distil(student: Student, bags: Bags, wanted: Floats, turns: int = _TURNS) -> None:
    """Teach a student that texts point where ``wanted`` (a row of length 1 for each text) does."""
    steps = Steps(student, turns * max(1, len(wanted) // _TEXTS), _PACE, _PACE_OF_LAYER)
    chance = np.random.default_rng(_SEED)
    for turn in range(turns):
        cosines = []
        for some in np.array_split(chance.permutation(len(wanted)), max(1, len(wanted) // _TEXTS)):
            ahead = student.ahead(bags.some(some))
            steps.take(ahead, -wanted[some] / np.float32(len(some)))
            cosines.append(float((ahead.vectors * wanted[some]).sum(axis=1).mean()))
        print(f"turn {turn + 1}: cosine {np.mean(cosines):.4f}", flush=True)


def contrast(student: Student, known: Rows, pairs: Sequence[Pair], batches: int = _BATCHES) -> None:
    """Teach a student to tell the tool that a need belongs to from others, and to leave the rest as it was."""
    held = deepcopy(student)
    steps, some = Steps(student, batches, _FINE, _FINE_OF_LAYER), _batches(pairs)
    for number in range(batches):
        batch = next(some)
        needs, things, purposes, _, _ = zip(*batch, strict=True)
        bags = Bags.of([known.of(text) for text in (*needs, *things, *purposes)])
        ahead, old = student.ahead(bags), held.ahead(bags).vectors
        loss, slope = told_apart(ahead.vectors, old, batch)
        steps.take(ahead, slope - np.float32(_HELD / len(old)) * old)
        if number % 50 == 0:
            print(f"batch {number + 1}: {loss:.3f}", flush=True)


def told_apart(vectors: Floats, old: Floats, batch: Sequence[Pair]) -> tuple[float, Floats]:
    """Return the loss of a batch, and how it slopes with each vector: needs, then things, then their purposes.

    A thing stands with its purpose, as the index of tools has it. What bears the same name, or was alike already, is
    no other thing.
    """
    many = len(batch)
    needs, things, purposes = vectors[:many], vectors[many : 2 * many], vectors[2 * many :]
    whole, lengths = shortened(things + np.float32(CONTEXT) * purposes)
    scores = needs @ whole.T / np.float32(_SHARPNESS)
    scores[_same(old, batch)] = -np.inf
    of_need, of_thing = _softmax(scores), _softmax(scores.T).T
    off: Floats = (of_need + of_thing - 2 * np.eye(many, dtype=np.float32)) / np.float32(2 * many * _SHARPNESS)
    mixed = before(off.T @ needs, whole, lengths)
    slope = np.concatenate([off @ whole, mixed, np.float32(CONTEXT) * mixed]).astype(np.float32)
    return float(-np.log(np.maximum(np.diag(of_need), 1e-9)).mean()), slope


def _same(old: Floats, batch: Sequence[Pair]) -> NDArray[np.bool_]:
    many, names = len(batch), np.array([pair.name for pair in batch])
    needs, things = old[:many], old[many : 2 * many]
    same = (names[:, None] == names) | (needs @ needs.T > _ALIKE) | (things @ things.T > _ALIKE)
    np.fill_diagonal(same, False)
    found: NDArray[np.bool_] = same
    return found


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _batches(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    chance = np.random.default_rng(_SEED)
    of_package: dict[str, list[Pair]] = {}
    for pair in pairs:
        of_package.setdefault(pair.package, []).append(pair)
    while True:
        groups: list[list[Pair]] = []
        for own in of_package.values():
            mixed = [own[place] for place in chance.permutation(len(own))]
            groups += [mixed[start : start + _TOGETHER] for start in range(0, len(mixed), _TOGETHER)]
        flat = [pair for place in chance.permutation(len(groups)) for pair in groups[place]]
        yield from (flat[start : start + _PAIRS] for start in range(0, len(flat) - _PAIRS + 1, _PAIRS))
