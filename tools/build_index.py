"""Build ``src/vsm_mcp/discovery/data/index.bin`` from two public lists of packages and the tools they declare.

    python -m tools.build_index NPM.tsv PYPI.tsv TOOLS.jsonl [OUT]

NPM.tsv has the columns name, version, downloads_a_month, summary; PYPI.tsv name, version, month,
rank_among_15000_most_downloaded, summary; a first line with the names, tabs between. Kept are the packages that call
themselves MCP servers, with facts only: name, version, counts, the sorted stems of name and summary, and the names of
the tools in TOOLS.jsonl (``read_tools.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from tools.declared_tools import kept

from vsm_mcp.discovery.index_file import IndexRow, encode
from vsm_mcp.discovery.republication import collapse
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.model.ref import RefKind

OUT: Final = Path(__file__).parent.parent / "src" / "vsm_mcp" / "discovery" / "data" / "index.bin"
MOST_BYTES: Final = 4 * 1024 * 1024


def cells(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a list as mappings from column to text; what a title says after its first word is a remark."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        columns = [title.partition(" ")[0] for title in next(lines).rstrip("\n").split("\t")]
        for line in lines:
            yield dict(zip(columns, line.rstrip("\n").split("\t"), strict=False))


def row(kind: RefKind, cell: dict[str, str]) -> IndexRow:
    """Return one package as the index wants it."""
    return IndexRow(
        kind=kind,
        name=cell["name"],
        version=cell.get("version", ""),
        summary=cell.get("summary", ""),
        downloads=number(cell.get("downloads_a_month", "")),
        rank=number(cell.get("rank_among_15000_most_downloaded", "")),
        month=cell.get("month", ""),
    )


def number(text: str) -> int:
    """Return a count; 0 for an empty cell."""
    return int(text) if text.isdigit() else 0


def chosen(npm: Path, pypi: Path) -> list[IndexRow]:
    """Return the packages that call themselves MCP servers, republications collapsed; say how many."""
    rows: list[IndexRow] = []
    for kind, path in ((RefKind.NPM, npm), (RefKind.PYPI, pypi)):
        found = [
            row(kind, cell)
            for cell in cells(path)
            if calls_itself_server(cell["name"], cell.get("summary", ""), cell.get("month", ""))
        ]
        print(f"{kind.value}: {len(found)} packages call themselves MCP servers")
        rows += found
    left = collapse(rows)
    print(f"{len(rows) - len(left)} republications collapsed; {len(left)} packages left")
    return left


def main(npm: str, pypi: str, tools: str, out: str = str(OUT)) -> None:
    """Build the index and say what went in."""
    declared = kept(Path(tools))
    rows = [
        msgspec.structs.replace(row, tools=tuple(tool.name for tool in declared.get((row.kind.value, row.name), ())))
        for row in chosen(Path(npm), Path(pypi))
    ]
    print(f"{sum(bool(row.tools) for row in rows)} packages with {sum(len(row.tools) for row in rows)} tools")
    content = encode(
        rows,
        {"npm": sum(one.kind is RefKind.NPM for one in rows), "pypi": sum(one.kind is RefKind.PYPI for one in rows)},
    )
    if len(content) > MOST_BYTES:
        sys.exit(f"the index has {len(content)} bytes; at most {MOST_BYTES} may ship")
    Path(out).write_bytes(content)
    print(f"{out}: {len(content):,} bytes")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
