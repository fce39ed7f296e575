"""The lock as a document: the same bytes for the same fleet, no address, no secret; and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import ConfigError
from vsm_mcp.install import lockfile
from vsm_mcp.install.file_digest import files_digest
from vsm_mcp.install.lockfile import Files, Lock, LockedServer, Tried

NPM = {
    "name": "installation",
    "lockfileVersion": 3,
    "packages": {
        "": {"dependencies": {"a": "1.0.0"}},
        "node_modules/a": {"version": "1.0.0", "resolved": "https://r.example/a.tgz", "integrity": "sha512-AAAA"},
        "node_modules/a/node_modules/b": {
            "version": "2.0.0",
            "resolved": "https://r.example/b",
            "funding": {"url": "u"},
        },
    },
}
PYTHON = "a==1 \\\n    --hash=sha256:00\nb==2 ; python_version > '3'\n"


def one(**fields: object) -> Lock:
    return Lock(servers={"s": LockedServer(**{"ref": "npm:a@1.0.0", "version": "1.0.0", **fields})})  # type: ignore[arg-type]


def test_it_comes_back_as_it_was_written() -> None:
    lock = one(tree=lockfile.tree_of(json.dumps(NPM)), pins={"tool:é": "00"}, files=Files(platform="x", sha256="y"))
    data = lockfile.dumps(lock)
    assert lockfile.loads(data) == lock
    assert lockfile.dumps(lockfile.loads(data)) == data
    assert data.isascii()


def test_the_trees_hold_no_address_and_can_be_installed_from() -> None:
    tree = lockfile.tree_of(json.dumps(NPM))
    assert isinstance(tree, dict)
    assert "example" not in json.dumps(tree)
    assert tree["packages"]["node_modules/a"]["integrity"] == "sha512-AAAA"
    assert lockfile.tree_of(lockfile.text_of(tree)) == tree
    lines = lockfile.tree_of(PYTHON)
    assert lines == PYTHON.rstrip("\n").split("\n")
    assert lockfile.text_of(lines) == PYTHON
    assert (lockfile.tree_of(" \n"), lockfile.text_of(None)) == (None, "")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"servers": 3}', b"\xff", b'{"schema": 2, "servers": {}}', b"[" * 9000]
)
def test_what_is_no_lock_is_said(data: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        lockfile.loads(data)
    assert caught.value.hint


def test_every_difference_is_named() -> None:
    before = one(pins={"tool:a": "1", "tool:b": "2"}, files=Files(platform="p", sha256="1"), trial=Tried(digest="1"))
    after = one(
        version="1.0.1", integrity="sha512:ff", tree=["x"], pins={"tool:a": "9", "tool:c": "3"}, scripts=True,
        files=Files(platform="p", sha256="2"), trial=Tried(digest="2"), entry={"args": ["x"]},
    )  # fmt: skip
    items = {row.item for row in lockfile.differences(before, after)}
    assert items == {
        "version", "integrity", "dependencies", "files", "pin tool:a", "pin tool:b", "pin tool:c", "trial", "settings",
        "scripts",
    }  # fmt: skip
    (gone,) = lockfile.differences(before, Lock())
    (new,) = lockfile.differences(Lock(), before)
    assert (gone.item, gone.found, new.locked) == ("server", "not there", "not there")
    assert lockfile.differences(before, before) == ()


def test_files_of_another_platform_are_not_compared() -> None:
    mine, other = (one(files=Files(platform=name, sha256=name)) for name in ("linux", "darwin"))
    assert lockfile.differences(mine, other) == ()


@given(st.recursive(st.text(max_size=8), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)))
def test_paths_below_a_home_travel(value: object) -> None:
    assert lockfile.expanded(lockfile.portable(value, "/home/a"), "/home/a") == value
    moved = lockfile.portable({"paths": [["/home/a/x", True], ["/home/ab", False]], "cwd": "/home/a"}, "/home/a")
    assert moved == {"paths": [["${HOME}/x", True], ["/home/ab", False]], "cwd": "${HOME}"}
    assert lockfile.expanded(moved, "/root")["cwd"] == "/root"


def installation(root: Path) -> Path:
    package = root / "venv/lib/a.dist-info"
    package.mkdir(parents=True)
    (root / "venv/bin").mkdir()
    (root / "venv/bin/a").write_text(f"#!{root}/venv/bin/python\nimport a\n")
    (root / "venv/bin/python").symlink_to("/usr/bin/python3")
    (root / "venv/pyvenv.cfg").write_text(f"home = {root}\n")
    (package / "direct_url.json").write_text(f'{{"url": "file://{root}"}}')
    (package / "RECORD").write_text(
        f"a.py,sha256=1,3\na.dist-info/direct_url.json,sha256={root.name},9\n../../bin/a,sha256={root.name},7\n"
    )
    (root / "venv/lib/a.py").write_text("one = 1\n")
    (root / "venv/lib/__pycache__").mkdir()
    (root / "venv/lib/__pycache__/a.pyc").write_text(str(root))
    return root


def test_an_installation_has_one_hash_wherever_it_lies(tmp_path: Path) -> None:
    first, second = installation(tmp_path / "one"), installation(tmp_path / "two")
    assert files_digest(first) == files_digest(second)


@pytest.mark.parametrize("what", ["content", "new", "gone", "mode", "link", "record"])
def test_any_change_of_a_file_changes_it(tmp_path: Path, what: str) -> None:
    root = installation(tmp_path / "one")
    before, file = files_digest(root), root / "venv/lib/a.py"
    if what == "content":
        file.write_text("one = 2\n")
    elif what == "new":
        (root / "venv/lib/b.pth").write_text("import os\n")
    elif what == "gone":
        file.unlink()
    elif what == "mode":
        file.chmod(0o755)
    elif what == "link":
        file.unlink()
        file.symlink_to("/etc/passwd")
    else:
        (root / "venv/lib/a.dist-info/RECORD").write_text("a.py,sha256=2,3\n")
    assert files_digest(root) != before
