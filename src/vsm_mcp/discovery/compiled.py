"""The catalogue and the taxonomy as they are read: their TOML and the cutting of words took 60 ms of each search.

``data/catalogue.json`` has a row of the catalogue a line, ``data/catalogue_stems.json`` its reference and its stems,
``data/taxonomy.json`` a tag with its stems. ``tools/compile_data.py`` writes them from the TOML files beside them,
which are what is edited.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec

from vsm_mcp.discovery.meaning import DATA
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.taxonomy import Tag, Taxonomy

CATALOGUE: Final = "catalogue.json"
STEMS: Final = "catalogue_stems.json"
TAXONOMY: Final = "taxonomy.json"


def catalogue_rows(folder: Traversable = DATA) -> list[dict[str, Any]]:
    """Return the rows of the catalogue, in the order of its files. Raises :class:`ConfigError`."""
    rows: list[dict[str, Any]] = _read(folder, CATALOGUE, list[dict[str, Any]])
    return rows


def catalogue_stems(folder: Traversable = DATA) -> dict[str, dict[str, list[str]]]:
    """Return the stems of the catalogue's entries by identity and field. Raises :class:`ConfigError`."""
    rows: list[tuple[str, dict[str, list[str]]]] = _read(folder, STEMS, list[tuple[str, dict[str, list[str]]]])
    return dict(rows)


def taxonomy(folder: Traversable = DATA) -> Taxonomy:
    """Return the taxonomy. Raises :class:`ConfigError`."""
    rows = _read(folder, TAXONOMY, list[tuple[str, str, tuple[frozenset[str], ...], frozenset[str], frozenset[str]]])
    return Taxonomy(Tag(*row) for row in rows)


def catalogue_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the file of the catalogue's ``rows``."""
    return _lines(rows)


def stems_text(cut: Mapping[str, Mapping[str, list[str]]]) -> str:
    """Return the file of the stems of entries."""
    return _lines(cut.items())


def taxonomy_text(tags: Iterable[Tag]) -> str:
    """Return the file of ``tags``."""
    return _lines(
        [
            tag.name,
            tag.definition,
            [sorted(phrase) for phrase in tag.phrases],
            sorted(tag.defining),
            sorted(tag.products),
        ]
        for tag in tags
    )


def _lines(rows: Iterable[Any]) -> str:
    """One row a line, so that a difference shows what changed."""
    written = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return f"[\n{written}\n]\n"


def _read(folder: Traversable, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode((folder / name).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} cannot be read: {error}", "reinstall vsm-mcp") from error
