"""What the build of a fetched tree would run: its ``setup.py``, a build backend of its own, the scripts of npm's."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vsm_mcp.model.ref import RefKind
from vsm_mcp.vetting.check import Subject

SCRIPTS: Final = ("build", "prepare")
"""The scripts of package.json that make a tree ready, beside those that npm runs while it installs."""
_MOST: Final = 4 * 1024 * 1024


def of_tree(subject: Subject) -> bool:
    """Whether it is a tree whose own build may run."""
    return subject.runs_scripts and subject.ref.kind in {RefKind.DIR, RefKind.GIT}


def files(root: Path | None) -> Iterator[str]:
    """Yield the files that a build of Python's runs, where they are there (PEP 517, "In-tree build backends")."""
    if root is None:
        return
    names = ("setup.py", *_own_backend(root))
    yield from (name for name in dict.fromkeys(names) if _inside(root, name))


def _own_backend(root: Path) -> Iterator[str]:
    if not _inside(root, "pyproject.toml"):
        return
    try:
        text = (root / "pyproject.toml").read_bytes()[:_MOST].decode("utf-8", "replace")
        build = tomllib.loads(text).get("build-system")
    except tomllib.TOMLDecodeError:  # nothing is built of it
        return
    folders = build.get("backend-path") if isinstance(build, dict) else None
    module = str(build.get("build-backend", "")).partition(":")[0] if isinstance(build, dict) else ""
    for folder in folders if isinstance(folders, list) and module else ():
        stem = posixpath.normpath(posixpath.join(str(folder), module.replace(".", "/")))
        yield from (f"{stem}.py", f"{stem}/__init__.py")


def _inside(root: Path, name: str) -> bool:
    path = (root / name).resolve()
    return path.is_relative_to(root.resolve()) and path.is_file()
