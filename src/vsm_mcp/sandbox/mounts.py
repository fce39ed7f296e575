"""Which paths of this machine a process sees, checked and in the order they are mounted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.errors import BadArgument
from vsm_mcp.sandbox.confinement import HOME, TMP, Confinement

_RESERVED: Final = ("/proc", "/sys", "/dev")
_WHOLE: Final = ("/", "/etc", "/home")
_ALWAYS: Final = ("/", TMP, "/home", "/etc", "/run", "/usr", "/dev", "/proc", HOME)


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One path: ``kind`` is ``ro``, ``rw`` or ``hidden``; ``mapped`` asks for an idmapped mount (root daemon)."""

    path: str
    kind: str
    mapped: bool = False


def plan(confinement: Confinement) -> tuple[Mount, ...]:
    """Return the mounts of a confinement, parents before what lies in them.

    Where a path is named twice the widest right wins. Raises :class:`BadArgument`, naming the path, for one that does
    not exist, is not absolute, or would replace a part of the sandbox itself.
    """
    found: dict[str, Mount] = {}
    for path in _outermost(confinement.read_only):
        mode = _checked(path).st_mode
        open_to_all = mode & (0o005 if stat.S_ISDIR(mode) else 0o004)
        _add(found, Mount(path=_clean(path), kind="ro", mapped=not open_to_all))
    for paths, kind in (
        (confinement.granted_read_only, "ro"),
        (confinement.granted_writable, "rw"),
        (confinement.writable, "rw"),
    ):
        for path in paths:
            _checked(path)
            _add(found, Mount(path=_clean(path), kind=kind, mapped=True))
    for path in confinement.hidden:
        if any(_inside(path, other) for other in found):
            _add(found, Mount(path=_clean(path), kind="hidden"))
    _refuse_planted_links(found)
    return tuple(found[path] for path in sorted(found, key=lambda path: PurePosixPath(path).parts))


def parents(mounts: tuple[Mount, ...]) -> Iterator[tuple[Mount, tuple[str, ...]]]:
    """Yield each mount with the directories that must be made above it, outermost first."""
    made = set(_ALWAYS)
    for mount in mounts:
        above = [str(path) for path in reversed(PurePosixPath(mount.path).parents)]
        missing = tuple(path for path in above if path not in made)
        made.update((*missing, mount.path))
        yield mount, missing


def check_cwd(cwd: str, mounts: tuple[Mount, ...]) -> None:
    """Raise :class:`BadArgument` unless ``cwd`` will be a directory inside."""
    if cwd in _ALWAYS:
        return
    for mount in mounts:
        if _inside(cwd, mount.path) and Path(cwd).is_dir():
            return
        if _inside(mount.path, cwd):
            return
    if _inside(cwd, "/usr") and Path(cwd).is_dir():
        return
    raise BadArgument(f"the working directory {cwd} is not visible in the sandbox", f"grant it: --allow-path {cwd}")


def _add(found: dict[str, Mount], mount: Mount) -> None:
    if mount.kind == "ro" and _inside(mount.path, "/usr"):
        return
    known = found.get(mount.path)
    if known is None or mount.kind == "rw" or (mount.mapped and known.kind == "ro"):
        found[mount.path] = mount


def _checked(path: str) -> os.stat_result:
    if not path.startswith("/"):
        raise BadArgument(f"the path {path!r} is not absolute", "give it from the root: /home/…")
    names = {_clean(path), os.path.realpath(path)}
    if any(name in _WHOLE or any(_inside(name, part) for part in _RESERVED) for name in names):
        raise BadArgument(f"the path {path} cannot be granted", "name the directory that is really needed")
    try:
        return Path(path).stat()
    except OSError as error:
        raise BadArgument(f"the path {path} cannot be granted: {error.strerror}", "it must exist") from error


def _refuse_planted_links(found: dict[str, Mount]) -> None:
    """Where a process may write, a path may be a link of its own making: followed by us, it would open anything.

    Raises :class:`BadArgument` for a path inside a writable one that leads out of it.
    """
    for outer in [mount.path for mount in found.values() if mount.kind == "rw"]:
        for path in found:
            if path != outer and _inside(path, outer) and not _inside(os.path.realpath(path), os.path.realpath(outer)):
                raise BadArgument(
                    f"the path {path} leads out of {outer}, where the server may write: the link may be its own work",
                    "look at the link; name what it points to instead",
                )


def _outermost(paths: tuple[str, ...]) -> list[str]:
    """Return the paths that lie in none of the others: a bind inside a bind has nowhere to be mounted."""
    clean = [_clean(path) for path in paths]
    return [path for path in clean if not any(_inside(path, other) for other in clean if other != path)]


def _clean(path: str) -> str:
    return os.path.normpath("/" + path.lstrip("/"))


def _inside(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or lies in it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")
