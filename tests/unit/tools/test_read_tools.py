"""What is read of a package's archive on the way into the index, and how its tools turn its direction."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tools import build_index, build_vectors
from tools.declared_tools import Declared, kept
from tools.read_tools import tools_in

from vsm_mcp.discovery.index_file import IndexFile
from vsm_mcp.discovery.meaning import meaning

SOURCE = b"@mcp.tool\ndef add(a: int):\n    'Adds.'\n"


def wheel(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for path, source in files.items():
            packed.writestr(path, source)
    return content.getvalue()


def tarball(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        for path, source in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(source)
            packed.addfile(entry, io.BytesIO(source))
    return content.getvalue()


def test_wheels_and_tarballs_are_read() -> None:
    assert tools_in("a-1.0-py3-none-any.whl", wheel({"a/server.py": SOURCE})) == [("add", "Adds.")]
    assert tools_in("1.0.0.tgz", tarball({"package/a.js": b"s.tool('add', 'Adds.', {}, f)"})) == [("add", "Adds.")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.whl", b"no zip"),
        ("a.tgz", b""),
        ("a.tar.gz", tarball({"a.py": SOURCE})[:60]),
        ("a.whl", wheel({"a.py": SOURCE}).replace(b"@mcp", b"@mcq")),
    ],
    ids=["no zip", "empty", "cut off", "changed"],
)
def test_what_cannot_be_read_declares_nothing(name: str, content: bytes) -> None:
    assert tools_in(name, content) == []


def test_the_index_is_built_of_lists_and_tools(tmp_path: Path) -> None:
    npm, pypi, tools = (tmp_path / name for name in ("npm.tsv", "pypi.tsv", "tools.jsonl"))
    npm.write_text("name\tversion\tdownloads_a_month\tsummary\n")
    pypi.write_text("name\tversion\tmonth\trank_among_15000_most_downloaded\tsummary\nsum-mcp\t1.0\t2026-01\t0\tSums\n")
    tools.write_text(json.dumps(["pypi", "sum-mcp", "1.0", [["add", "Adds two numbers."]]]) + "\n")
    assert kept(tools) == {("pypi", "sum-mcp"): [Declared("add", "Adds two numbers.")]}
    build_index.main(str(npm), str(pypi), str(tools), str(tmp_path / "index.bin"))
    content = (tmp_path / "index.bin").read_bytes()
    assert [*IndexFile(content).tools] == ["add"]
    assert b"two numbers" not in content


def test_the_direction_of_a_package_lies_between_what_it_says_and_what_its_tools_do() -> None:
    words = meaning()
    said = words.embed(["puzzles for the evening", "a clock"])
    done = build_vectors.middles([[Declared("solve_sudoku", "Solves a sudoku.")], []], words)
    sudoku = words.embed(["solve a sudoku"])[0]
    between = build_vectors.halved(said, done)
    assert said[0] @ sudoku < between[0] @ sudoku < done[0] @ sudoku
    assert np.allclose(between[1], said[1])
    assert np.allclose(np.linalg.norm(between, axis=1), 1.0, atol=1e-5)
