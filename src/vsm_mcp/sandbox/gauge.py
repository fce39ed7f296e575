"""How full the folders of a server on disk are, without counting what lies in them all the time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.sandbox.confinement import Confinement
from vsm_mcp.sandbox.folders import used

_SHARE: Final = 16
_LONGEST_SECONDS: Final = 30.0


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that may take so many ``bytes`` on disk; ``limit`` is what that limit is called."""

    path: Path
    bytes: int
    limit: str


def kept_disk(confinement: Confinement) -> tuple[Disk, ...]:
    """Return the home, where one is kept."""
    if not confinement.home:
        return ()
    return (Disk(path=Path(confinement.home), bytes=confinement.home_bytes, limit="home"),)


class Gauge:
    """Knows how much was free when folders were counted last: who fills one takes that from its file system."""

    def __init__(self) -> None:
        self._free: dict[Path, int] = {}
        self._counted = 0.0

    def due(self, disks: Iterable[Disk]) -> bool:
        """Return whether to count: a file system lost a sixteenth of a limit since, or half a minute has passed."""
        if time.monotonic() - self._counted > _LONGEST_SECONDS:
            return True
        return any(
            disk.path not in self._free or self._free[disk.path] - _free(disk.path) > disk.bytes / _SHARE
            for disk in disks
        )

    def over(self, disks: Iterable[Disk]) -> str:
        """Count; return what the limit is called that a folder is beyond, "" for none. Blocks."""
        disks = tuple(disks)
        self._counted, self._free = time.monotonic(), {disk.path: _free(disk.path) for disk in disks}
        return next((disk.limit for disk in disks if used(disk.path) > disk.bytes), "")


def _free(path: Path) -> int:
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
