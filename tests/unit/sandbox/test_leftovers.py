from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from vsm_mcp.sandbox import leftovers
from vsm_mcp.sandbox.cgroup import start_time

NAMED = "from vsm_mcp.sandbox.cgroup import start_time; import os; print(f'{os.getpid()}.{start_time(os.getpid())}')"


def test_only_the_folders_of_the_dead_go(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", NAMED], check=True, capture_output=True).stdout.decode().strip()
    left = tmp_path / f"vsm-mcp.{dead}-ab_3"
    (left / "tmp").mkdir(parents=True)
    (left / "tmp" / "file").write_text("x")
    own = os.getpid()
    kept = [
        tmp_path / name
        for name in (
            f"vsm-mcp.{own}.{start_time(own)}-abc",  # in use
            "vsm-mcp-abcdef",
            f"vsm-mcp.{dead}",
            f"other.{dead}-abc",
            f"vsm-mcp.{dead}-abc.bak",
            "notes",
        )
    ]
    for folder in kept:
        folder.mkdir()
    link, file = tmp_path / f"vsm-mcp.{dead}-link", tmp_path / f"vsm-mcp.{dead}-file"
    link.symlink_to(tmp_path / "notes")
    file.touch()
    assert leftovers.sweep(tmp_path) == 1
    assert not left.exists()
    assert link.is_symlink()
    assert file.exists()
    assert all(folder.exists() for folder in kept)
    assert leftovers.sweep(tmp_path) == 0
