"""Teaches the layer that turns summed words (``matching/static_model.py``: ``up``, ``off``, ``down``); build time only.

Adam on the distance (1 - cosine) from the teacher's vectors; batches come in an order that a fixed seed draws, so that
the same texts give the same layer but for rounding.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vsm_mcp.matching.meaning import Floats

HIDDEN: Final = 1024
TURNS: Final = 12
_TEXTS: Final = 2048
_SEED: Final = 7
_PACE: Final = 3e-4
_PAST, _PAST_SQUARES = 0.9, 0.99


def taught(sums: Floats, wanted: Floats) -> list[Floats]:
    """Return ``up``, ``off`` and ``down`` that turn ``sums`` (texts x W, length 1, none of it 0) towards ``wanted``."""
    chance, width = np.random.default_rng(_SEED), sums.shape[1]
    layer: list[Floats] = [
        chance.normal(0.0, 1.0, (width, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        np.zeros((HIDDEN, width), np.float32),
    ]
    past, squares = ([np.zeros_like(part) for part in layer] for _ in range(2))
    of_turn = max(1, len(sums) // _TEXTS)
    for step in range(TURNS * of_turn):
        if step % of_turn == 0:
            order = chance.permutation(len(sums))
        some = order[step % of_turn * _TEXTS :][:_TEXTS]
        cosine, ahead = slopes(layer, sums[some], wanted[some])
        pace = _PACE * 0.5 * (1.0 + float(np.cos(np.pi * step / (TURNS * of_turn))))
        for place, slope in enumerate(ahead):
            past[place] += (1 - _PAST) * (slope - past[place])
            squares[place] += (1 - _PAST_SQUARES) * (np.square(slope) - squares[place])
            size = np.sqrt(squares[place] / (1 - _PAST_SQUARES ** (step + 1))) + np.float32(1e-8)
            layer[place] -= np.float32(pace / (1 - _PAST ** (step + 1))) * past[place] / size
        if step % of_turn == 0:
            print(f"turn {step // of_turn + 1}: cosine {cosine:.4f}", flush=True)
    return layer


def slopes(layer: list[Floats], sums: Floats, wanted: Floats) -> tuple[float, list[Floats]]:
    """Return the mean cosine of a batch, and how the distance grows with each number of the layer."""
    up, off, down = layer
    hidden = np.maximum(sums @ up + off, 0.0)
    turned = sums + hidden @ down
    lengths = np.linalg.norm(turned, axis=1, keepdims=True)
    vectors = turned / lengths
    cosines = (vectors * wanted).sum(axis=1, keepdims=True)
    back = (cosines * vectors - wanted) / (lengths * len(sums))
    behind = (back @ down.T) * (hidden > 0.0)
    return float(cosines.mean()), [sums.T @ behind, behind.sum(axis=0), hidden.T @ back]
