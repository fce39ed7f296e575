"""The vectors of the packages of the shipped index, as ``tools/build_model.py`` writes them.

An ``.npz`` file: ``made`` (two lines: the name of what embedded, the fingerprint of the names of the packages),
``vectors`` (a row of bytes for each package, in the order of the index) and ``scales`` (of the rows).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.discovery.meaning import SHARES
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.meaning import UNREADABLE, Floats, Table

FILES: Final = {"static-2": "index_static.npz", "minilm-1": "index_minilm.npz"}


def fingerprint(names: Sequence[str]) -> str:
    """Return what tells one list of packages from another."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]


def read(folder: Traversable, made_by: str, names: Sequence[str]) -> Table:
    """Read the vectors of ``names`` from the files of a meaning (``made_by``: its name, ``+`` between parts).

    Raises :class:`ConfigError` for files of another index, of another meaning, or damaged ones.
    """
    makers, of_names = made_by.split("+"), fingerprint(names)
    try:
        parts = [_part(folder, maker, of_names) for maker in makers]
    except UNREADABLE as error:
        raise ConfigError(f"the vectors of the index cannot be used: {error}", "reinstall vsm-mcp") from error
    vectors = np.empty((len(names), sum(rows.shape[1] for rows, _ in parts)), np.float32)
    first = 0
    for maker, (rows, scales) in zip(makers, parts, strict=True):
        share = np.float32(SHARES[maker] ** 0.5 if len(makers) > 1 else 1.0)
        np.multiply(rows, scales[:, None] * share, out=vectors[:, first : first + rows.shape[1]])
        first += rows.shape[1]
    return Table(vectors)


def _part(folder: Traversable, maker: str, of_names: str) -> tuple[NDArray[np.int8], Floats]:
    with (folder / FILES[maker]).open("rb") as file, np.load(file, allow_pickle=False) as content:
        if bytes(content["made"]).decode().split("\n")[:2] != [maker, of_names]:
            raise ValueError(f"{FILES[maker]} belongs to another index or another model")
        return content["vectors"], content["scales"].astype(np.float32)
