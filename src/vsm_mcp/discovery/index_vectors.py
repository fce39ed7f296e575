"""The vectors of the packages of the shipped index, as ``tools/build_model.py`` writes them.

An ``.npz`` file: ``made`` (two lines: the name of what embedded, the fingerprint of the names of the packages),
``vectors`` (a row of bytes for each package, in the order of the index) and ``scales`` (of the rows).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from typing import Final

import numpy as np

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.meaning import UNREADABLE, Table, lines, unsqueezed

FILES: Final = {"static-4": "index_static.npz", "minilm-2": "index_minilm.npz"}


def fingerprint(names: Iterable[str]) -> str:
    """Return what tells one list of packages from another."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]


def read(folder: Traversable, made_by: str, names: Iterable[str]) -> Table:
    """Read the vectors of ``names`` from the file of a meaning (``made_by``: its name).

    Raises :class:`ConfigError` for a file of another index, of another meaning, or a damaged one.
    """
    try:
        with (folder / FILES[made_by]).open("rb") as file, np.load(file, allow_pickle=False) as content:
            if lines(content["made"]) != [made_by, fingerprint(names)]:
                raise ValueError(f"{FILES[made_by]} belongs to another index or another model")
            return Table(unsqueezed(content["vectors"], content["scales"]))
    except UNREADABLE as error:
        raise ConfigError(f"the vectors of the index cannot be used: {error}", "reinstall vsm-mcp") from error
