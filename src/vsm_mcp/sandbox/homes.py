"""Homes that are kept: folders of this machine in which a server finds again what it wrote."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vsm_mcp.sandbox.folders import walk
from vsm_mcp.sandbox.uids import is_a_servers

_ABOVE = 0o711
_OWN = 0o700


def prepare(home: Path, uid: int | None) -> None:
    """Make a home, closed to others, and give it with all that lies in it to ``uid``. Blocks; raises :class:`OSError`.

    It may have been another uid's before. Its top changes hands last, so that what was interrupted is done again. A
    file with a second name is left alone unless it was a server's: that name may lie where a person granted something.
    """
    home.parent.mkdir(mode=_ABOVE, parents=True, exist_ok=True)
    home.mkdir(mode=_OWN, exist_ok=True)
    if uid is None or home.stat().st_uid == uid:
        return
    for path, found in walk(home):
        if found.st_uid != uid and (stat.S_ISDIR(found.st_mode) or found.st_nlink == 1 or is_a_servers(found.st_uid)):
            os.chown(path, uid, uid, follow_symlinks=False)
    os.chown(home, uid, uid)
