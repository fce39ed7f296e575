"""A lock is put in place whole or not at all: a disk that is full loses nothing of the one that is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from vsm_mcp.app.locked import clean
from vsm_mcp.app.locking import put_in_place

FULL = """
import resource, signal, sys
from pathlib import Path
from vsm_mcp.app.locking import put_in_place
from vsm_mcp.errors import HomeError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    put_in_place(Path(sys.argv[1]), b"x" * 100_000)
except HomeError as error:
    print(error.message)
"""


def test_it_is_written_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "vsm-mcp.lock"
    assert put_in_place(path, b"one")
    before = path.stat().st_mtime_ns
    assert not put_in_place(path, b"one")
    assert path.stat().st_mtime_ns == before
    assert put_in_place(path, b"two")
    assert (path.read_bytes(), [each.name for each in tmp_path.iterdir()]) == (b"two", ["vsm-mcp.lock"])


def test_what_does_not_fit_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "vsm-mcp.lock"
    path.write_bytes(b"as it was")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "cannot be written" in done.stdout, done
    assert path.read_bytes() == b"as it was"
    assert [each.name for each in tmp_path.iterdir()] == ["vsm-mcp.lock"]


def test_what_looks_like_a_secret_stays_out() -> None:
    key = "sk-" + "a1B2" * 8
    entry: dict[str, Any] = {
        "args": ["--token", "abcd1234", "--port", "8"],
        "env": {"PLAIN": "x", "ODD": key, "KNOWN": "${KNOWN}"},
        "x-vsm-mcp": {"ref": "npm:a@1", "secrets": ["KNOWN"], "settings": {"args": ["--token", "abcd1234"]}},
    }
    found = clean(entry)
    assert found["args"] == ["--token", "***", "--port", "8"]
    assert found["x-vsm-mcp"]["settings"]["args"] == ["--token", "***"]
    assert found["env"] == {"PLAIN": "x", "ODD": "${ODD}", "KNOWN": "${KNOWN}"}
    assert found["x-vsm-mcp"]["secrets"] == ["KNOWN", "ODD"]
    assert (entry["env"]["ODD"], entry["args"][1]) == (key, "abcd1234")
    remote = clean({"uri": f"https://h/{key}", "source": "s", "x-vsm-mcp": {"ref": "r", "secrets": [], "settings": {}}})
    assert key not in str(remote)
