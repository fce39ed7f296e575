"""A private home with a temporary directory in it, on disk, where no file system of its own can be had.

It is named after the daemon, so that the next one can tell what a dead daemon left behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from vsm_mcp.sandbox import cgroup
from vsm_mcp.sandbox.confinement import HOME, TMP


class Scratch:
    """One such home; :meth:`remove` it."""

    def __init__(self, uid: int | None = None) -> None:
        """Make it, for another user if ``uid`` is given. Raises :class:`OSError`."""
        self.home = Path(tempfile.mkdtemp(prefix=f"{cgroup.daemon_name()}-"))
        self.temporary = self.home / "tmp"
        self.temporary.mkdir(mode=0o700)
        if uid is not None:
            for directory in (self.temporary, self.home):
                os.chown(directory, uid, uid)

    def moved(self, value: str) -> str:
        """Return what a path in the sandbox's home, or its /tmp, is called out here; anything else as it is.

        What lies below /tmp stays: it may be granted under its own name.
        """
        if value == TMP:
            return str(self.temporary)
        return str(self.home) + value[len(HOME) :] if value == HOME or value.startswith(f"{HOME}/") else value

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which the home and the temporary directory are these."""
        return {name: self.moved(value) for name, value in given.items()} | {"TMPDIR": str(self.temporary)}

    def remove(self) -> None:
        """Remove it with whatever lies in it. Blocks; never raises."""
        remove(self.home)


def remove(root: Path) -> None:
    """Remove a tree of somebody else: a directory without rights would keep its contents. No link is followed."""
    for folder, names, _ in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118
            if not os.path.islink(path):  # noqa: PTH114
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)  # noqa: PTH101
    shutil.rmtree(root, ignore_errors=True)
