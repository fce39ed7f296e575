"""The walls of the reduced tier: what each version of Landlock can refuse, and which rights a path gets. Pure."""

from __future__ import annotations

import pytest

from vsm_mcp.sandbox import enclose
from vsm_mcp.sandbox.confinement import HOME, TMP
from vsm_mcp.sandbox.enclose import EXECUTE, IOCTL_DEV, MAKE_BLOCK, MAKE_CHAR, REFER, TRUNCATE, WRITE_FILE
from vsm_mcp.sandbox.leftovers import sweep
from vsm_mcp.sandbox.scratch import Scratch

VERSIONS = range(1, 9)


@pytest.mark.parametrize("version", VERSIONS)
def test_later_versions_refuse_more(version: int) -> None:
    now, later = enclose.handled(version), enclose.handled(version + 1)
    assert len(later) >= len(now)
    assert all(old & new == old for old, new in zip(now, later, strict=False))


def test_what_each_version_brought() -> None:
    assert [bool(enclose.handled(version)[0] & TRUNCATE) for version in (2, 3)] == [False, True]
    assert [bool(enclose.handled(version)[0] & REFER) for version in (1, 2)] == [False, True]
    assert [bool(enclose.handled(version)[0] & IOCTL_DEV) for version in (4, 5)] == [False, True]
    assert [len(enclose.handled(version)) for version in (3, 4, 5, 6)] == [1, 2, 2, 3]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["ro", "rw", "device"])
def test_no_path_gets_what_is_not_refused_elsewhere(version: int, kind: str) -> None:
    (files, *_) = enclose.handled(version)
    whole, file = (enclose.allowed(kind, version, directory=directory) for directory in (True, False))
    assert whole | files == files
    assert file | whole == whole
    assert not whole & (MAKE_BLOCK | MAKE_CHAR)
    assert bool(whole & WRITE_FILE) == (kind != "ro")
    assert bool(whole & EXECUTE) == (kind != "device")


def test_scratch_moves_only_its_own_paths() -> None:
    scratch = Scratch()
    try:
        assert scratch.moved(HOME) == str(scratch.home)
        assert scratch.moved(f"{HOME}/x") == f"{scratch.home}/x"
        assert scratch.moved(TMP) == str(scratch.temporary)
        for other in ("/tmp/granted", "/home/mcpx", "text", ""):
            assert scratch.moved(other) == other
        locked = scratch.home / "locked/deep"
        locked.mkdir(parents=True)
        (locked / "file").touch()
        (scratch.home / "link").symlink_to("/usr")
        for directory in (locked, locked.parent):
            directory.chmod(0)
        sweep()
        assert scratch.home.exists()  # its daemon, this process, lives
    finally:
        scratch.remove()
    assert not scratch.home.exists()
