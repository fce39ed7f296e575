"""Where the Pythons of this machine are, by their names alone: nothing is started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

OLDEST: Final = 9
_SHIMS: Final = "shims"
_MINOR: Final = re.compile(r"python3\.(\d+)\Z")


def programs(environ: Mapping[str, str]) -> list[str]:
    """Return the paths, with links resolved, of those on the PATH, and of pyenv's and uv's own ones.

    A shim of pyenv may point to nothing; where its shims are on the PATH, its versions are beside them.
    """
    home = Path(environ.get("HOME") or "/nonexistent")
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    places = [Path(place) for place in environ.get("PATH", "").split(":") if place.startswith("/")]
    pyenvs = [Path(environ.get("PYENV_ROOT") or home / ".pyenv"), *(at.parent for at in places if at.name == _SHIMS)]
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    folders = [at for at in places if at.name != _SHIMS]
    folders += [folder for pyenv in dict.fromkeys(pyenvs) for folder in pyenv.glob("versions/3.*/bin")]
    folders += [*managed.glob("cpython-3.*/bin"), Path("/usr/local/bin"), Path("/usr/bin")]
    found: dict[str, None] = {}
    for folder in folders:
        for program in folder.glob("python3.*"):
            minor = _MINOR.match(program.name)
            if minor and int(minor.group(1)) >= OLDEST:
                found[str(program.resolve())] = None
    return list(found)


def minor_versions(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the minor versions of the Pythons of this machine (``3.13``), newest first."""
    minors = {int(found[1]) for program in programs(environ) if (found := _MINOR.match(Path(program).name))}
    return tuple(f"3.{minor}" for minor in sorted(minors, reverse=True))
