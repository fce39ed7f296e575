"""Homes that are kept: made closed to others, and given to whoever the server is this time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vsm_mcp.sandbox.homes import prepare
from vsm_mcp.sandbox.uids import FIRST


def test_it_is_made_closed_to_others_and_found_again(tmp_path: Path) -> None:
    home = tmp_path / "homes" / "memory-1"
    prepare(home, None)
    (home / "kept").write_text("x")
    prepare(home, None)
    assert (home / "kept").read_text() == "x"
    assert home.stat().st_mode & 0o777 == 0o700
    assert home.parent.stat().st_mode & 0o777 == 0o711


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_all_in_it_changes_hands_but_what_has_a_name_elsewhere(tmp_path: Path) -> None:
    home, outside = tmp_path / "homes" / "memory-1", tmp_path / "outside"
    outside.write_text("a person's")
    prepare(home, FIRST)
    (home / "folder").mkdir()
    (home / "folder" / "file").write_text("x")
    (home / "link").symlink_to(outside)
    os.link(outside, home / "second name")
    for path in (home / "folder", home / "folder" / "file"):
        os.chown(path, FIRST, FIRST)
    prepare(home, FIRST + 1)
    owners = {path.relative_to(home).as_posix(): path.lstat().st_uid for path in home.rglob("*")}
    mine = FIRST + 1
    assert owners == {"folder": mine, "folder/file": mine, "link": mine, "second name": 0}
    assert (home.stat().st_uid, outside.stat().st_uid) == (mine, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_change_that_was_interrupted_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "homes" / "memory-1"
    prepare(home, FIRST)
    for name in "abc":
        (home / name).touch()
    real = os.chown
    done: list[str] = []

    def twice(path: str, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        if len(done) == 2:
            raise OSError("interrupted")
        done.append(path)
        real(path, uid, gid, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "chown", twice)
    with pytest.raises(OSError, match="interrupted"):
        prepare(home, FIRST + 1)
    monkeypatch.undo()
    prepare(home, FIRST + 1)
    assert {path.stat().st_uid for path in (home, *home.iterdir())} == {FIRST + 1}
