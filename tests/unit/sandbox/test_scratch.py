from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from vsm_mcp.sandbox import scratch
from vsm_mcp.sandbox.cgroup import start_time

MAKE = "from vsm_mcp.sandbox import scratch; print(scratch.make())"


def test_only_the_folders_of_the_dead_go(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    made = subprocess.run([sys.executable, "-c", MAKE], env=env, check=True, capture_output=True)
    left = Path(made.stdout.decode().strip())
    (left / "tmp").mkdir()
    (left / "tmp" / "file").write_text("x")
    in_use = Path(tmp_path, left.name.replace(left.name.split("-")[2], f"{os.getpid()}.{_start()}"))
    in_use.mkdir()
    strangers = [tmp_path / name for name in ("vsm-mcp-abcdef", "vsm-mcp-1.2", "other-99999999.1-abc", "notes")]
    for folder in strangers:
        folder.mkdir()
    link = tmp_path / f"{left.name}x"
    link.symlink_to(tmp_path / "notes")
    assert scratch.sweep(tmp_path) == 1
    assert not left.exists()
    assert in_use.exists()
    assert link.is_symlink()
    assert all(folder.exists() for folder in strangers)
    assert scratch.sweep(tmp_path) == 0


def test_a_folder_of_our_own_is_not_left() -> None:
    folder = scratch.make()
    try:
        assert not scratch.is_left(folder.name)
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rmdir()


def _start() -> int:
    return start_time(os.getpid())
