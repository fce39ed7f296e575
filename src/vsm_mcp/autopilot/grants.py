"""Which paths a server may touch: those a person allowed, and the harmless ones among those that were named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.autopilot.launch import LaunchPlan
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.paths import grantable

# Databases keep journals beside the file: a server that is given one must be able to write in its folder.
_WITH_COMPANIONS: Final = frozenset({".db", ".db3", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".kuzu", ".lance"})


def with_named_paths(
    settings: Settings, plan: LaunchPlan, home: str, private: Sequence[str], named: str = "write"
) -> Settings:
    """Return the settings with the paths that arguments, variables and ``cwd`` name.

    A person who gives a server ``/data/report.pdf`` as an argument means it to use that file. A path that does not
    exist yet opens the folder it would lie in. System folders, hidden folders of the home and our own home never
    open this way (see :func:`~vsm_mcp.model.paths.grantable`). ``named`` is what a permission profile lets be done with
    them: ``write``, ``read``, or ``none``; ``cwd`` was given by hand.
    """
    granted = dict(settings.paths)
    if settings.cwd:
        granted.setdefault(settings.cwd, True)
    for path in plan.named_paths if named != "none" else ():
        target = _target(Path(path))
        if target is not None and grantable(str(target), home, private):
            granted.setdefault(str(target), named == "write")
    return msgspec.structs.replace(settings, paths=tuple(sorted(granted.items())))


def check_project(settings: Settings, home: str, private: Sequence[str]) -> None:
    """Raise :class:`BadArgument` where the project directory is no place to open as a whole."""
    if settings.project and not grantable(settings.project, home, private):
        raise BadArgument(
            f"{settings.project} is no project directory: it holds more than one project",
            "go to the project's own directory, or name it: --project DIR",
        )


def _target(named: Path) -> Path | None:
    try:
        if named.is_dir():
            return named.resolve()
        if named.exists():
            return named.resolve().parent if named.suffix.lower() in _WITH_COMPANIONS else named.resolve()
        return named.parent.resolve() if named.parent.is_dir() else None
    except OSError:
        return None
