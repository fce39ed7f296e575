from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vsm_mcp.errors import HomeError, UsageError
from vsm_mcp.install.files import make_readable, remove_tree, tree_size
from vsm_mcp.install.transaction import Installations


async def _install(installations: Installations, version: str) -> Path:
    path = await installations.begin("s", version)
    (path / "file").write_text(version)
    await installations.activate("s", version)
    return path


async def test_a_version_is_begun_used_and_taken_back(tmp_path: Path) -> None:
    installations = Installations(tmp_path)
    first = await _install(installations, "1.0")
    second = await _install(installations, "2.0")
    assert installations.current("s") == "2.0"
    assert installations.versions("s") == ("1.0", "2.0")
    assert (tmp_path / "installations/s/current/file").read_text() == "2.0"
    await installations.discard("s", "2.0")
    assert installations.current("s") == "1.0"
    assert not second.exists() and first.is_dir()
    await installations.discard("s", "2.0")
    await installations.discard("s", "1.0")
    await installations.discard("s", "1.0")
    assert installations.servers() == ()
    assert not (tmp_path / "installations/s").exists()


async def test_taking_an_unused_version_back_leaves_the_current_one(tmp_path: Path) -> None:
    installations = Installations(tmp_path)
    await _install(installations, "1.0")
    await installations.stage("s", "2.0")
    await installations.begin("s", "2.0")
    await installations.discard("s", "2.0")
    assert installations.current("s") == "1.0"
    assert installations.versions("s") == ("1.0",)
    assert list((tmp_path / "run").rglob("*")) == [tmp_path / "run" / "staging"]


async def test_beginning_again_starts_empty(tmp_path: Path) -> None:
    installations = Installations(tmp_path)
    path = await installations.begin("s", "1.0")
    (path / "left").write_text("over")
    assert list((await installations.begin("s", "1.0")).iterdir()) == []


async def test_discarding_a_server_and_sweeping(tmp_path: Path) -> None:
    installations = Installations(tmp_path)
    await _install(installations, "1.0")
    await installations.stage("s", "1.0")
    await installations.discard_server("s")
    await installations.discard_server("s")
    (tmp_path / "installations" / ".trash-1").mkdir()
    async with installations.scratch() as folder:
        (folder / "x").write_text("y")
        await installations.sweep()
        assert not folder.exists()
    assert list((tmp_path / "installations").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "../x", "current", ".hidden", "a\0b", "x" * 200, "a..b"])
async def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    installations = Installations(tmp_path)
    with pytest.raises(UsageError):
        await installations.begin(name, "1.0")
    with pytest.raises(UsageError):
        await installations.discard("s", name)


async def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(HomeError):
        await Installations(tmp_path / "home").begin("s", "1.0")


async def test_directories_can_be_entered_by_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        path = await Installations(tmp_path).begin("s", "1.0")
        (path / "sub").mkdir()
        (path / "sub" / "run").write_text("x")
        (path / "sub" / "run").chmod(0o4700)
        (path / "data").write_text("x")
        (path / "link").symlink_to("data")
        make_readable(path)
    finally:
        os.umask(before)
    modes = {entry.name: stat.S_IMODE(entry.lstat().st_mode) for entry in path.rglob("*") if not entry.is_symlink()}
    assert modes == {"sub": 0o755, "run": 0o755, "data": 0o644}
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o755 for each in (path, path.parent, path.parent.parent))


def test_removing_follows_no_link_and_minds_no_mode(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    tree = tmp_path / "tree"
    (tree / "closed" / "deep").mkdir(parents=True)
    (tree / "closed" / "deep" / "f").write_text("x" * 5000)
    (tree / "link").symlink_to(tmp_path / "kept")
    assert tree_size(tree) >= 5000
    (tree / "closed" / "deep").chmod(0o500)
    (tree / "closed").chmod(0o500)
    remove_tree(tree)
    remove_tree(tree)
    assert not tree.exists()
    assert (tmp_path / "kept" / "file").exists()
    assert tree_size(tree) == 0
