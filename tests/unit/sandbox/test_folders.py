"""Folders that a server filled: counted, opened and removed, whatever it did to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vsm_mcp.sandbox.folders import DEEPEST, TooDeep, remove, used, walk


def deep(root: Path, levels: int) -> None:
    """Make folders in one another, deeper than one path can name, and a file in the last."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 100, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_all_below_is_found_and_no_link_is_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "x").mkdir(parents=True)
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_bytes(b"1" * 5000)
    (root / "link").symlink_to(outside)
    found = {os.path.relpath(path, root) for path, _ in walk(root)}
    assert found == {"a", "a/b", "a/b/file", "link"}
    assert 5000 <= used(root) < 20_000
    remove(root)
    assert not root.exists()
    assert (outside / "x").exists()


def test_what_is_gone_is_empty(tmp_path: Path) -> None:
    assert list(walk(tmp_path / "no")) == []
    assert used(tmp_path / "no") == 0
    remove(tmp_path / "no")


@pytest.mark.parametrize("levels", [DEEPEST + 2, 1500])
def test_a_tree_that_is_too_deep_counts_as_too_large_and_is_removed_all_the_same(tmp_path: Path, levels: int) -> None:
    root = tmp_path / "root"
    root.mkdir()
    try:
        deep(root, levels)
        with pytest.raises(TooDeep):
            list(walk(root))
        assert used(root) == sys.maxsize
        remove(root)
        assert not root.exists()
    finally:
        subprocess.run(["rm", "-rf", str(root)], check=True)  # pytest could not


def test_a_folder_without_rights_is_removed_with_what_lies_in_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "closed" / "in it").mkdir(parents=True)
    (root / "closed").chmod(0)
    remove(root)
    assert not root.exists()
