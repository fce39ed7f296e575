"""Finds parts by entry point; only those that the configuration names are loaded.

Built-in parts use the same way in as everyone else's: the entry-point groups ``vsm_mcp.sources``,
``vsm_mcp.criteria``, ``vsm_mcp.installers``, ``vsm_mcp.transports``, ``vsm_mcp.checks``, ``vsm_mcp.health_checks`` and
``vsm_mcp.remedies`` of the installed distributions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from vsm_mcp.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

POINTS: Final = ("sources", "criteria", "installers", "transports", "checks", "health_checks", "remedies")


def names(point: str) -> tuple[str, ...]:
    """Return the names registered at a plug-in point, sorted."""
    return tuple(sorted({entry.name for entry in _registered(point)}))


def load(point: str, wanted: Iterable[str] | None = None) -> dict[str, Any]:
    """Load the parts ``wanted`` (all of the point when ``None``), by name, in the order asked for.

    Raises :class:`ConfigError` when a name is not registered or its code cannot be imported.
    """
    found = {entry.name: entry for entry in _registered(point)}
    parts: dict[str, Any] = {}
    for name in sorted(found) if wanted is None else wanted:
        if name not in found:
            raise ConfigError(
                f"no {point} plug-in is called {name!r}", f"installed: {', '.join(sorted(found)) or 'none'}"
            )
        try:
            parts[name] = found[name].load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"the {point} plug-in {name!r} cannot be loaded: {error}", "reinstall its package"
            ) from error
    return parts


def _registered(point: str) -> Iterable[EntryPoint]:
    if point not in POINTS:
        raise ConfigError(f"there is no plug-in point {point!r}", f"points are {', '.join(POINTS)}")
    return _every(tuple(sys.path))[point]


@cache
def _every(_path: tuple[str, ...]) -> dict[str, tuple[EntryPoint, ...]]:
    """Return what all installed distributions register: they are read once, not for each point and search."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - with all of email, for the first part that is asked for

    every: Any = entry_points()  # of one type in Python 3.11 and another since: both select
    return {point: tuple(every.select(group=f"vsm_mcp.{point}")) for point in POINTS}
