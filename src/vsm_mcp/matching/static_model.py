"""Meaning without a network: one vector for each word and each frequent pair; their sum, turned, for a text.

The file is made by ``tools/build_model.py``, taught by MPNet, and ships as data: ``.npz`` with ``pieces``, ``words``
and ``pairs`` (lines of text), ``vectors`` (a row of W bytes for each of them, in this order), ``scales`` (of the rows),
``axes`` (MiniLM's vectors times these lie in the same space), ``up`` (W x H), ``off`` (H), ``down`` (H x W), and
``about`` (JSON: what it was built from). A word that stands in ``words`` has a vector of its own, any other has those
of its pieces; two neighbours that stand in ``pairs`` ("pull request") add one for what they mean together. The sum,
brought to length 1, is turned by what a hidden layer says of it: ``sum + max(sum · up + off, 0) · down`` (M. Iyyer et
al.: *Deep unordered composition rivals syntactic methods for text classification*, 2015).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import IO, Any, Final

import numpy as np

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.meaning import UNREADABLE, Floats, lines, unit
from vsm_mcp.matching.wordpiece import WordPieces, split

_MOST_PIECES: Final = 256
_BATCH: Final = 512  # texts whose hidden layer is in memory at once


class Rows:
    """Which rows of the vectors a text has; ``pairs`` are two words with a space between."""

    def __init__(self, pieces: Sequence[str], words: Sequence[str], pairs: Sequence[str]) -> None:
        self.words = WordPieces(pieces, words)
        self.pairs = {pair: number for number, pair in enumerate(pairs, len(self.words))}

    def __len__(self) -> int:
        return len(self.words) + len(self.pairs)

    def of(self, text: str) -> list[int]:
        """Return the rows of a text: of its words up to the 256th piece, then of its pairs."""
        parts = split(text)[:_MOST_PIECES]
        found = [number for part in parts for number in self.words.of_word(part)][:_MOST_PIECES]
        beside = (self.pairs.get(f"{one} {other}") for one, other in pairwise(parts))
        return [*found, *(number for number in beside if number is not None)]


class StaticModel:
    """The model of one file. Raises :class:`ConfigError` when the file is none.

    Its cosines are spread wider than those of MiniLM beside it: each has a scale of its own.
    """

    scale: Final = (0.33, 0.81)

    def __init__(self, file: IO[bytes]) -> None:
        try:
            with np.load(file, allow_pickle=False) as content:
                self.about: dict[str, Any] = json.loads(bytes(content["about"]))
                rows = {part: lines(content[part]) for part in ("pieces", "words", "pairs")}
                self._vectors, self._scales = content["vectors"], content["scales"].astype(np.float32)
                self._layer = [content[part].astype(np.float32) for part in ("up", "off", "down")]
        except UNREADABLE as error:
            raise _unreadable(error) from error
        self.name: str = self.about["name"]
        self.width: int = self._vectors.shape[1]
        self._rows = Rows(**rows)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text; zeros for a text of which nothing is known."""
        sums = np.zeros((len(texts), self.width), np.float32)
        for row, text in zip(sums, texts, strict=True):
            numbers = self._rows.of(text)
            if numbers:
                np.dot(self._scales[numbers], self._vectors[numbers].astype(np.float32), out=row)
        for start in range(0, len(sums), _BATCH):
            some = slice(start, start + _BATCH)
            sums[some] = turned(unit(sums[some]), *self._layer)
        return sums


def for_minilm(file: IO[bytes]) -> tuple[WordPieces, Floats]:
    """Return what MiniLM itself needs of the file: its pieces, and the axes (384 x W). Raises :class:`ConfigError`."""
    try:
        with np.load(file, allow_pickle=False) as content:
            return WordPieces(lines(content["pieces"])), content["axes"].astype(np.float32)
    except UNREADABLE as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> ConfigError:
    return ConfigError(f"the model of words cannot be read: {error}", "reinstall vsm-mcp")


def turned(sums: Floats, up: Floats, off: Floats, down: Floats) -> Floats:
    """Return sums (rows of length 1) turned by a hidden layer, of length 1 again; zeros stay zeros."""
    moved: Floats = sums + np.maximum(sums @ up + off, 0.0) @ down
    moved[~sums.any(axis=1)] = 0.0
    return unit(moved)
