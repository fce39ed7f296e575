"""The sample needs of this installation, as vectors: ``data/samples_*.npz``, one file for each model.

``tools/build_samples.py`` makes them from ``tools/samples.toml``. A file holds ``made`` (two lines: the name of what
embedded, the fingerprint of the samples), ``tags`` (a line for each capability), ``of_each`` (how many samples each
has), ``vectors`` (a row of bytes for each sample: those of the tags in their order, then what is out of scope) and
``scales`` (of the rows). It is read with the first need, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from threading import Lock
from typing import TYPE_CHECKING, Final

from vsm_mcp.discovery.meaning import DATA, ShippedMeaning
from vsm_mcp.errors import ConfigError

if TYPE_CHECKING:
    from vsm_mcp.matching.meaning import Floats
    from vsm_mcp.matching.samples import Samples

FILES: Final = {"static-4": "samples_static.npz", "minilm-2": "samples_minilm.npz"}


class ShippedSamples:
    """What needs call for, by the samples that ``meaning`` embedded; safe to use from several threads."""

    def __init__(self, meaning: ShippedMeaning, folder: Traversable = DATA) -> None:
        self._meaning = meaning
        self._folder = folder
        self._lock = Lock()
        self._read: Samples | None = None

    def shares(self, vector: Floats) -> Mapping[str, float]:
        """Return how likely a need of this vector calls for what (:class:`vsm_mcp.matching.need.Callings`).

        Raises :class:`ConfigError` when the file is missing, damaged, or of another model.
        """
        with self._lock:
            if self._read is None:
                self._read = read(self._folder, self._meaning.name)
        return self._read.shares(vector)


def read(folder: Traversable, made_by: str) -> Samples:
    """Read the samples of a model. Raises :class:`ConfigError`."""
    import numpy as np  # noqa: PLC0415 - at the first need

    from vsm_mcp.matching.meaning import UNREADABLE, lines, unsqueezed  # noqa: PLC0415
    from vsm_mcp.matching.samples import Samples  # noqa: PLC0415

    try:
        with (folder / FILES[made_by]).open("rb") as file, np.load(file, allow_pickle=False) as content:
            if lines(content["made"])[:1] != [made_by]:
                raise ValueError(f"{FILES[made_by]} belongs to another model")
            vectors = unsqueezed(content["vectors"], content["scales"])
            return Samples(lines(content["tags"]), vectors, int(content["of_each"]))
    except UNREADABLE as error:
        raise ConfigError(f"the sample needs cannot be used: {error}", "reinstall vsm-mcp") from error
