from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.discovery import compiled
from vsm_mcp.discovery.catalogue import entries, stems_of
from vsm_mcp.discovery.meaning import DATA
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.taxonomy import parse


def test_what_ships_is_what_the_toml_says() -> None:
    """Edited the catalogue, the taxonomy, or how words are cut? Run tools/compile_data.py."""
    assert entries() == entries(DATA / "catalogue")
    assert compiled.catalogue_stems() == {entry.ref.identity: stems_of(entry) for entry in entries()}
    assert compiled.taxonomy().tags == parse((DATA / "taxonomy.toml").read_text("utf-8")).tags


def test_rows_are_written_one_a_line(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"ref": "npm:a", "description": "für alle"}, {"ref": "npm:b", "tags": ["x"]}]
    text = compiled.catalogue_text(rows)
    assert text.splitlines()[1:-1] == ['{"ref":"npm:a","description":"für alle"},', '{"ref":"npm:b","tags":["x"]}']
    (tmp_path / compiled.CATALOGUE).write_text(text)
    assert compiled.catalogue_rows(tmp_path) == rows


@pytest.mark.parametrize("text", [None, b"[", b"[1]", b'["a"]', b'[["a"]]', b"\xff"])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: bytes | None) -> None:
    for name, read in (
        (compiled.CATALOGUE, compiled.catalogue_rows),
        (compiled.STEMS, compiled.catalogue_stems),
        (compiled.TAXONOMY, compiled.taxonomy),
    ):
        if text is not None:
            (tmp_path / name).write_bytes(text)
        with pytest.raises(ConfigError, match=name):
            read(tmp_path)
