"""Where installations lie, and how one is begun, taken into use and taken back.

::

    installations/<server>/<version>/      the files of one version
    installations/<server>/current         symbolic link to the version in use, swapped atomically
    installations/<server>/previous        the one before, for taking back
    run/staging/<server>/<version>/        what was fetched and is being vetted
    run/work/…                             scratch of tools

Every operation can be repeated, and undo needs only the two names, so that it works after ``kill -9``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from vsm_mcp.errors import UsageError
from vsm_mcp.install.files import home_errors, remove_tree, tree_size

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,127}\Z")
_LINKS: Final = frozenset({"current", "previous"})
_TRASH: Final = ".trash-"


class Installations:
    """The ``installations`` and ``run`` directories of one home. Raises :class:`HomeError` where the disk refuses."""

    def __init__(self, home: Path) -> None:
        self._root = home / "installations"
        self._staging = home / "run" / "staging"
        self._work = home / "run" / "work"

    def path(self, server: str, version: str) -> Path:
        """Return the directory of a version, whether it is there or not."""
        return self._server(server) / _checked(version)

    async def stage(self, server: str, version: str) -> Path:
        """Return an empty directory for what is fetched."""
        return await asyncio.to_thread(self._emptied, self._staged(server, version))

    async def begin(self, server: str, version: str) -> Path:
        """Return the empty final directory of a version; what an earlier attempt left there is removed.

        The caller makes sure that the version is not in use (see :meth:`current`).
        """
        return await asyncio.to_thread(self._emptied, self.path(server, version))

    async def activate(self, server: str, version: str) -> None:
        """Make a version the current one, atomically, and drop what was staged for it."""
        await asyncio.to_thread(self._activate, server, version)

    def current(self, server: str) -> str:
        """Return the version in use, or ``""``."""
        return _target(self._server(server) / "current")

    def previous(self, server: str) -> str:
        """Return the version that was in use before the current one, or ``""``."""
        return _target(self._server(server) / "previous")

    def versions(self, server: str) -> tuple[str, ...]:
        """Return the versions that have a directory, sorted by name."""
        root = self._server(server)
        if not root.is_dir():
            return ()
        found = (entry.name for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink())
        return tuple(sorted(name for name in found if not name.startswith(".")))

    def servers(self) -> tuple[str, ...]:
        """Return the servers that have a directory, sorted."""
        if not self._root.is_dir():
            return ()
        return tuple(sorted(entry.name for entry in self._root.iterdir() if not entry.name.startswith(".")))

    async def size(self, server: str, version: str) -> int:
        """Return the bytes a version takes on disk."""
        return await asyncio.to_thread(tree_size, self.path(server, version))

    async def discard(self, server: str, version: str) -> None:
        """Take a version back: its files, what was staged for it, and its being the current one."""
        await asyncio.to_thread(self._discard, server, version)

    async def discard_server(self, server: str) -> None:
        """Remove everything of a server."""
        await asyncio.to_thread(self._discard_server, server)

    async def sweep(self) -> None:
        """Remove scratch and half-removed trees that a killed process left; call it when nothing is under way."""
        await asyncio.to_thread(self._sweep)

    @contextlib.asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        """Lend an empty directory that goes away again."""
        with home_errors(self._work):
            self._work.mkdir(parents=True, exist_ok=True)
            path = Path(tempfile.mkdtemp(dir=self._work))
        try:
            yield path
        finally:
            with home_errors(path):
                await asyncio.to_thread(remove_tree, path)

    def _server(self, server: str) -> Path:
        return self._root / _checked(server)

    def _staged(self, server: str, version: str) -> Path:
        return self._staging / _checked(server) / _checked(version)

    def _emptied(self, path: Path) -> Path:
        with home_errors(path):
            self._remove(path)
            path.mkdir(parents=True, mode=0o755)
            for folder in (path, path.parent, path.parent.parent):
                folder.chmod(0o755)  # whatever the umask: servers run under another user
        return path

    def _activate(self, server: str, version: str) -> None:
        root = self._server(server)
        with home_errors(root):
            before = self.current(server)
            if before and before != version:
                _point(root / "previous", before)
            _point(root / "current", version)
            self._remove(self._staged(server, version))
            _remove_empty(self._staging / server)

    def _discard(self, server: str, version: str) -> None:
        root = self._server(server)
        with home_errors(root):
            before = _target(root / "previous")
            if self.current(server) == version:
                if before and before != version and (root / before).is_dir():
                    _point(root / "current", before)
                else:
                    (root / "current").unlink(missing_ok=True)
            if before == version or before == self.current(server):
                (root / "previous").unlink(missing_ok=True)
            self._remove(root / _checked(version))
            self._remove(self._staged(server, version))
            _remove_empty(root)
            _remove_empty(self._staging / server)

    def _discard_server(self, server: str) -> None:
        with home_errors(self._root):
            self._remove(self._server(server))
            self._remove(self._staging / _checked(server))

    def _sweep(self) -> None:
        with home_errors(self._root):
            for left in (*self._root.glob(f"{_TRASH}*"), *self._staging.glob(f"{_TRASH}*"), *self._work.glob("*")):
                remove_tree(left)

    def _remove(self, path: Path) -> None:
        """Remove a tree so that it is gone at once, whatever happens while its files are deleted."""
        if not os.path.lexists(path):
            return
        top = self._root if path.is_relative_to(self._root) else self._staging
        trash = top / f"{_TRASH}{secrets.token_hex(8)}"
        path.rename(trash)
        remove_tree(trash)


def _checked(name: str) -> str:
    if not _NAME.match(name) or name in _LINKS or ".." in name:
        raise UsageError(f"{name!r} cannot name a directory", "names are letters, digits, dots, dashes and underscores")
    return name


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - the text, not a path
    except OSError:
        return ""


def _point(link: Path, target: str) -> None:
    new = link.with_name(f".{link.name}-{secrets.token_hex(4)}")
    new.symlink_to(target)
    new.replace(link)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
