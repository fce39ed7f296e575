"""Trees of files: readable by whoever runs them, measured, and removed for good."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vsm_mcp.errors import HomeError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_CLOSED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def home_errors(path: Path) -> Iterator[None]:
    """Turn what the file system refuses at ``path`` into :class:`HomeError`."""
    try:
        yield
    except OSError as error:
        raise home_error(path, error) from error


def home_error(path: Path, error: OSError) -> HomeError:
    """Return the :class:`HomeError` that says what the file system refused."""
    if error.errno in _FULL:
        return disk_full(path)
    if error.errno in _CLOSED:
        return HomeError(f"{path} cannot be written: {error.strerror}", "set VSM_MCP_HOME to a directory of yours")
    return HomeError(f"{path} cannot be used: {error.strerror or error}", "look at the file system, then try again")


def disk_full(path: Path) -> HomeError:
    """Return the :class:`HomeError` for a file system without space."""
    return HomeError(f"no space is left where {path} lies", "free some space or set VSM_MCP_HOME to another disk")


@contextlib.contextmanager
def written(path: Path, mode: int = 0o644) -> Iterator[Callable[[bytes], None]]:
    """Lend a function that writes to a new file; raises :class:`HomeError` at the write that the disk refuses.

    Unbuffered: a buffer would refuse a second time when the file is closed.
    """
    with home_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        yield lambda data: _write_all(descriptor, data, path)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes, path: Path) -> None:
    with home_errors(path):
        while data:
            data = data[os.write(descriptor, data) :]


def make_readable(root: Path) -> None:
    """Let every user read the tree and run its programs (``a+rX,go-w``); set-user and set-group bits go.

    A server runs under another user than the one who installed it, and a daemon may have a narrow umask.
    """
    _mode(root, os.lstat(root))
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(folder, name)  # noqa: PTH118 - a hundred thousand Path objects are slow
            _mode(path, os.lstat(path))


def _mode(path: str | Path, facts: os.stat_result) -> None:
    if stat.S_ISLNK(facts.st_mode):
        return
    old = stat.S_IMODE(facts.st_mode)
    runs = stat.S_ISDIR(facts.st_mode) or old & 0o111
    new = (old & 0o755) | (0o755 if runs else 0o644)
    if new != old:
        os.chmod(path, new)  # noqa: PTH101 - as above


def tree_size(root: Path) -> int:
    """Return the bytes that a tree takes on disk; 0 when it is not there."""
    total = 0
    for folder, _names, files in os.walk(root):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118
    return total


def remove_tree(root: Path) -> None:
    """Remove a tree or a symbolic link, following none, also from within directories without write permission.

    Does nothing when it is not there. Raises ``OSError`` when something resists.
    """
    try:
        facts = os.lstat(root)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(facts.st_mode):
        root.unlink(missing_ok=True)
        return
    if not os.access(root, os.W_OK | os.X_OK):
        root.chmod(0o700)
    for folder, names, _files in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118
            if not os.path.islink(path) and not os.access(path, os.W_OK | os.X_OK):  # noqa: PTH114
                os.chmod(path, 0o700)  # noqa: PTH101
    shutil.rmtree(root)
