"""Which paths a person means to open by merely naming them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

# Folders that hold all kinds of things, and folders of the system with all that is in them.
_CROWDED: Final = frozenset(
    {"/", "/home", "/root", "/var", "/opt", "/tmp", "/var/tmp", "/mnt", "/media", "/srv"}  # noqa: S108
)
_SYSTEM: Final = (
    "/etc",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/var/lib",
    "/run",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
)


def grantable(path: str, home: str, private: Sequence[str] = ()) -> bool:
    """Say whether a path that a person merely *named* may be opened to the server.

    Never a system folder, the home folder itself, a hidden folder right in it (``~/.ssh``), or a ``private`` path of
    ours; those need ``--allow-path``. ``home`` may be empty.
    """
    plain = PurePosixPath(path)
    if str(plain) in _CROWDED or any(plain.is_relative_to(root) for root in (*_SYSTEM, *private)):
        return False
    holders = [PurePosixPath(root) for root in (home, *private) if root]
    if any(root.is_relative_to(plain) for root in holders):
        return False
    if home and plain.is_relative_to(home):
        return not plain.relative_to(home).parts[0].startswith(".")
    return True
