"""A home, and a temporary directory, on disk, where no file system of their own can be had.

What is private is named after the daemon, so that the next one can tell what a dead daemon left behind.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vsm_mcp.sandbox import cgroup
from vsm_mcp.sandbox.confinement import HOME, TMP, Confinement
from vsm_mcp.sandbox.folders import remove
from vsm_mcp.sandbox.gauge import Disk, kept_disk
from vsm_mcp.sandbox.homes import prepare

_IN_HOME: Final = re.compile(rf"(?<![\w./-]){re.escape(HOME)}(?=/|\Z)")


class Scratch:
    """One such home with its temporary directory; :meth:`remove` what of it is private.

    ``folders`` are what has to be open to the program, each with all that lies in it; ``kept`` says that one of them is
    a home that outlives it.
    """

    def __init__(self, uid: int | None = None, kept: str = "") -> None:
        """Make it, for another user if ``uid`` is given; ``kept`` is the home where one is. Raises :class:`OSError`."""
        self._uid = uid
        self._private = Path(tempfile.mkdtemp(prefix=f"{cgroup.daemon_name()}-"))
        self.temporary = self._private / "tmp"
        self.temporary.mkdir(mode=0o700)
        if uid is not None:
            for directory in (self.temporary, self._private):
                os.chown(directory, uid, uid)
        self.kept = bool(kept)
        self.home = Path(kept) if kept else self._private
        self.folders = tuple(dict.fromkeys((self.home, self._private)))

    def open_home(self) -> None:
        """Make the home that is kept, if one is, and give it to its user. Blocks; raises :class:`OSError`."""
        if self.kept:
            prepare(self.home, self._uid)

    def disks(self, confinement: Confinement) -> tuple[Disk, ...]:
        """Return what has to be looked after: what is private stands for a home and a /tmp, which are two elsewhere."""
        private = Disk(path=self._private, bytes=2 * confinement.scratch_bytes, limit="scratch")
        return (private, *kept_disk(confinement))

    def moved(self, value: str) -> str:
        """Return a value in which paths in the sandbox's home, and its /tmp, are what they are called out here.

        What lies below /tmp stays: it may be granted under its own name.
        """
        return str(self.temporary) if value == TMP else _IN_HOME.sub(lambda _: str(self.home), value)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which the home and the temporary directory are these."""
        return {name: self.moved(value) for name, value in given.items()} | {"TMPDIR": str(self.temporary)}

    def remove(self) -> None:
        """Remove what is private with whatever lies in it. Blocks; never raises."""
        remove(self._private)
