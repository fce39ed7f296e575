"""Scratch folders that a daemon left behind: they carry its id and its start in their names."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from vsm_mcp.sandbox.cgroup import start_time
from vsm_mcp.sandbox.folders import remove
from vsm_mcp.sandbox.uids import is_a_servers

_NAME: Final = re.compile(r"vsm-mcp\.(?P<pid>\d+)\.(?P<start>\d+)-[a-z0-9_]+\Z")


def sweep(root: Path | None = None) -> int:
    """Remove the folders of daemons of this user that are gone; return how many."""
    removed = 0
    for path in tuple((root or Path(tempfile.gettempdir())).iterdir()):
        if is_left(path.name) and _is_ours(path):
            remove(path)
            removed += not path.exists()
    return removed


def is_left(name: str) -> bool:
    """Whether a folder of this name was made by a daemon that is gone."""
    match = _NAME.fullmatch(name)
    return match is not None and start_time(int(match["pid"])) != int(match["start"])


def _is_ours(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    user = os.geteuid()
    return stat.S_ISDIR(found.st_mode) and (found.st_uid == user or (user == 0 and is_a_servers(found.st_uid)))
