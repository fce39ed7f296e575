"""Build the vectors of the packages of the index: ``discovery/data/{index_static,index_minilm}.npz``.

    python -m tools.build_vectors NPM.tsv PYPI.tsv TOOLS.jsonl         (with the extra ``semantic``)

To be run after ``build_index.py`` with the same files, and after a change of a model. Half of each vector is what name
and summary say, half what the tools of the package (``read_tools.py``) say on the whole. The tools are read by the
model of words in either file: it lies in the same space, and MiniLM, which reads about a hundred texts a second, would
need most of an hour for them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tools.build_index import chosen
from tools.build_samples import lines
from tools.declared_tools import Declared, kept

from vsm_mcp.discovery.index_file import IndexFile, IndexRow, place_of
from vsm_mcp.discovery.index_vectors import FILES, fingerprint
from vsm_mcp.discovery.meaning import DATA, ShippedMeaning, meaning
from vsm_mcp.matching.meaning import Floats, squeezed, unit
from vsm_mcp.matching.wording import ToolText, described, of_tool


def middles(packages: Sequence[Sequence[Declared]], words: ShippedMeaning) -> Floats:
    """Return the mean direction of the tools of each package; zeros for one without."""
    owners = np.array([place for place, tools in enumerate(packages) for _ in tools], np.int64)
    texts = [of_tool(ToolText("", *tool)) for tools in packages for tool in tools]
    sums = np.zeros((len(packages), words.width), np.float32)
    if texts:
        np.add.at(sums, owners, words.embed(texts))
    return unit(sums)


def halved(said: Floats, done: Floats) -> Floats:
    """Return directions between what packages say of themselves and what their tools do, where that is known."""
    return unit(np.where(done.any(axis=1, keepdims=True), said + done, said))


def write(made_by: ShippedMeaning, rows: Sequence[IndexRow], done: Floats) -> None:
    """Write the vectors of ``rows`` as a meaning has them, in the order of the index."""
    said = made_by.embed([described(row.name, row.summary) for row in rows])
    names = IndexFile((DATA / "index.bin").read_bytes()).names
    squeezed_rows, scales = squeezed(halved(said, done))
    path = Path(str(DATA / FILES[made_by.name]))
    np.savez(path, made=lines([made_by.name, fingerprint(names)]), vectors=squeezed_rows, scales=scales)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main(npm: str, pypi: str, tools: str) -> None:
    """Read, embed, write."""
    rows = sorted(chosen(Path(npm), Path(pypi)), key=place_of)
    declared = kept(Path(tools))
    words = meaning()
    done = middles([declared.get((row.kind.value, row.name), ()) for row in rows], words)
    for made_by in (words, meaning(semantic=True)):
        write(made_by, rows, done)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
