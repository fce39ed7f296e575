"""Where programs keep their settings on this system, and which folder is the project."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_HIGHEST: Final = 12


class Places:
    """The folders that a path may begin with: ``~``, ``{data}``, ``{config}``, or one of the environment ``{NAME}``.

    ``{data}`` is where applications with a window keep their settings, ``{config}`` where programs of the command line
    do; they differ on macOS.
    """

    def __init__(self, environ: Mapping[str, str], platform: str = sys.platform) -> None:
        self._environ = environ
        self.platform = platform
        home = environ.get("USERPROFILE" if platform == "win32" else "HOME", "")
        self.home = Path(home) if home and Path(home).is_absolute() else None

    def path(self, text: str) -> Path | None:
        """Return the path that a text stands for; ``None`` where this system has no such folder."""
        if text.startswith("{"):
            name, _, rest = text[1:].partition("}")
            start = self._folder(name)
            return start / rest.lstrip("/") if start is not None else None
        if text == "~" or text.startswith("~/"):
            return self.home / text[2:] if self.home is not None else None
        return Path(text)

    def _folder(self, name: str) -> Path | None:
        if name not in ("data", "config"):
            given = self._environ.get(name, "")
            return Path(given) if given else None
        if self.platform == "win32":
            given = self._environ.get("APPDATA", "")
            return Path(given) if given else None
        if name == "data" and self.platform == "darwin":
            return self.home / "Library" / "Application Support" if self.home else None
        given = self._environ.get("XDG_CONFIG_HOME", "")
        return Path(given) if given.startswith("/") else self.home / ".config" if self.home else None


def project_folders(places: Places, start: Path | None = None) -> list[Path]:
    """Return the folder that we were started in, and the root of the repository that it is in.

    The home and the root of the file system are nobody's project.
    """
    try:
        here = start or Path.cwd()
    except OSError:  # it was removed
        return []
    nobodys = (places.home, Path(here.anchor))
    above = [folder for folder in (here, *here.parents)[:_HIGHEST] if folder not in nobodys]
    root = [folder for folder in above if (folder / ".git").exists()][:1]
    return list(dict.fromkeys([*([here] if here in above else []), *root]))
