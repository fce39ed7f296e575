"""Meaning by a small transformer: all-MiniLM-L6-v2 as an int8 ONNX file, on one thread; beside the model of words.

What it needs is the extra ``vsm-mcp[semantic]``. The memory arena of the runtime stays off: with it, a batch of long
texts keeps 640 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from vsm_mcp.matching.meaning import Floats, Meaning, unit
from vsm_mcp.matching.wordpiece import WordPieces

WIDTH: Final = 384
MOST_PIECES: Final = 64
_BATCH: Final = 16
_FIRST: Final = "[CLS]"
_LAST: Final = "[SEP]"


class MiniLm:
    """The model of one file, with the pieces of its vocabulary."""

    def __init__(self, model: Path, pieces: WordPieces) -> None:
        import onnxruntime  # noqa: PLC0415 - an extra, and 60 MB: only for those who use it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._pieces = pieces
        self._frame = pieces.numbers[_FIRST], pieces.numbers[_LAST]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text; a text counts up to its 62nd piece."""
        parts = [self._batch(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, WIDTH), np.float32)

    def _batch(self, texts: Sequence[str]) -> Floats:
        first, last = self._frame
        rows = [[first, *self._pieces.cut(text, MOST_PIECES - 2), last] for text in texts]
        longest = max(map(len, rows))
        numbers = np.zeros((len(rows), longest), np.int64)
        for row, cut in zip(numbers, rows, strict=True):
            row[: len(cut)] = cut
        mask = (np.arange(longest) < np.array([[len(cut)] for cut in rows])).astype(np.int64)
        inputs = {"input_ids": numbers, "attention_mask": mask, "token_type_ids": np.zeros_like(numbers)}
        (states,) = self._session.run(None, inputs)
        return unit((states * mask[:, :, None]).sum(axis=1))


class Both:
    """MiniLM, its vectors turned by ``axes`` into the space of the model of words, and that model; each counts alike.

    What one of them does not know, the other often does: together they find more than either.
    """

    name: Final = "minilm-2"
    scale: Final = (0.51, 0.71)

    def __init__(self, minilm: MiniLm, axes: Floats, words: Meaning) -> None:
        self._minilm, self._axes, self._words = minilm, axes, words
        self.width = axes.shape[1]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text."""
        return unit(unit(self._minilm.embed(texts) @ self._axes) + self._words.embed(texts))
