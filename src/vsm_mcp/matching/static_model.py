"""Meaning without a network: one vector for each word, taught by MiniLM, and the sum of them for a text.

The file is made by ``tools/build_model.py`` and ships as data: ``.npz`` with ``pieces`` and ``words`` (lines of text),
``vectors`` (a row of bytes for each of them, in this order), ``scales`` (of the rows), ``axes`` (MiniLM's own vectors
times these lie in the same space) and ``about`` (JSON: what it was built from). A word that stands in ``words`` has a
vector of its own; any other has those of its pieces.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any, Final

import numpy as np

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.meaning import UNREADABLE, Floats, unit
from vsm_mcp.matching.wordpiece import WordPieces

_MOST_PIECES: Final = 256


class StaticModel:
    """The model of one file. Raises :class:`ConfigError` when the file is none."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            with np.load(file, allow_pickle=False) as content:
                self.about: dict[str, Any] = json.loads(bytes(content["about"]))
                lines = {part: bytes(content[part]).decode().split("\n")[:-1] for part in ("pieces", "words")}
                self._vectors, self._scales = content["vectors"], content["scales"].astype(np.float32)
                self.axes: Floats = content["axes"].astype(np.float32)
        except UNREADABLE as error:
            raise ConfigError(f"the model of words cannot be read: {error}", "reinstall vsm-mcp") from error
        self.name: str = self.about["name"]
        self.width: int = self._vectors.shape[1]
        self._lines = lines["pieces"]
        self._words = WordPieces(lines["pieces"], lines["words"])

    @property
    def pieces(self) -> WordPieces:
        """The pieces of MiniLM, without the words that this model adds to them."""
        return WordPieces(self._lines)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text; zeros for a text of which nothing is known."""
        sums = np.zeros((len(texts), self.width), np.float32)
        for row, text in zip(sums, texts, strict=True):
            numbers = self._words.cut(text, _MOST_PIECES)
            if numbers:
                np.dot(self._scales[numbers], self._vectors[numbers].astype(np.float32), out=row)
        return unit(sums)
