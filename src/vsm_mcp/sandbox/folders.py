"""Folders that a server filled: no link in them is followed, no depth of them is trusted."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DEEPEST: Final = 256
"""Levels of folders that are gone down: more are nobody's honest work."""
LONGEST: Final = 3000
"""Characters of a path that are gone down to: it still can be named, which ends at 4,096 bytes (``PATH_MAX``)."""


class TooDeep(OSError):
    """A folder lies more than :data:`DEEPEST` levels or :data:`LONGEST` characters down: ``filename``."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.ENAMETOOLONG, "more than a few hundred folders lie in one another", path)


def walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all that lies below a folder, each before what lies in it; what vanishes or is closed is passed over.

    Raises :class:`TooDeep`.
    """
    left = [(str(root), 0)]
    while left:
        folder, depth = left.pop()
        if depth > DEEPEST or len(os.fsencode(folder)) > LONGEST:
            raise TooDeep(folder)
        for path, seen in _in(folder):
            yield path, seen
            if stat.S_ISDIR(seen.st_mode):
                left.append((path, depth + 1))


def _in(folder: str) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found.append((entry.path, entry.stat(follow_symlinks=False)))
    return found


def used(root: Path) -> int:
    """Return the bytes that a folder takes on disk, with all below it; without bound where it is too deep to count."""
    try:
        return sum(seen.st_blocks * 512 for _, seen in walk(root) if not stat.S_ISDIR(seen.st_mode))
    except TooDeep:
        return sys.maxsize


def remove(root: Path) -> None:
    """Remove a folder with what lies in it. Blocks; never raises.

    A folder without rights would keep its contents, so it is opened. One that is too deep is first moved up.
    """
    with contextlib.suppress(OSError):
        while deep := _opened(root):
            os.rename(deep, root / uuid.uuid4().hex)  # noqa: PTH104
    shutil.rmtree(root, ignore_errors=True)


def _opened(root: Path) -> str:
    """Open every folder to ourselves; return one that is too deep, or "" where all were reached."""
    try:
        for path, seen in walk(root):
            if stat.S_ISDIR(seen.st_mode):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)  # noqa: PTH101
    except TooDeep as error:
        return str(error.filename)
    return ""
