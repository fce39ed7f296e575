"""Compiles the catalogue and the taxonomy from their TOML files; with ``--check`` says whether that was done."""

from __future__ import annotations

import sys
from pathlib import Path

from vsm_mcp.discovery import compiled
from vsm_mcp.discovery.catalogue import entries, rows_of, stems_of
from vsm_mcp.matching.taxonomy import parse

DATA = Path(__file__).parent.parent / "src" / "vsm_mcp" / "discovery" / "data"


def texts() -> dict[str, str]:
    """Return what each compiled file should hold."""
    tags = parse((DATA / "taxonomy.toml").read_text("utf-8")).tags.values()
    rows = [row for _, row in rows_of(DATA / "catalogue")]
    cut = {entry.ref.identity: stems_of(entry) for entry in entries(DATA / "catalogue")}
    return {
        compiled.CATALOGUE: compiled.catalogue_text(rows),
        compiled.STEMS: compiled.stems_text(cut),
        compiled.TAXONOMY: compiled.taxonomy_text(tags),
    }


def main() -> int:
    """Write the files, or compare them."""
    wanted = texts()
    old = [name for name, text in wanted.items() if not (DATA / name).exists() or (DATA / name).read_text() != text]
    if "--check" in sys.argv:
        print(f"older than their TOML: {', '.join(old)}; run tools/compile_data.py" if old else "data: compiled")
        return 1 if old else 0
    for name in old:
        (DATA / name).write_text(wanted[name], "utf-8")
    print("data: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
