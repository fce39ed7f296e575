"""Which engines this home has run containers with: what a dead daemon left in them is removed by the next one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vsm_mcp.install.files import home_errors
from vsm_mcp.sandbox import container


def remember(home: Path, engine: tuple[str, ...]) -> None:
    """Write an engine down before anything is run with it. Raises :class:`HomeError`."""
    known = _known(home)
    if engine not in known:
        path = home / "run" / "engines.json"
        with home_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode([*known, engine]))
            new.replace(path)


async def sweep(home: Path, environ: Mapping[str, str]) -> int:
    """Remove the containers of dead daemons from all engines that were used; return how many. Asks none if none was."""
    return sum([await container.sweep(engine, environ) for engine in _known(home)])


def _known(home: Path) -> list[tuple[str, ...]]:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        text = (home / "run" / "engines.json").read_bytes()
        return [engine for engine in msgspec.json.decode(text, type=list[tuple[str, ...]]) if engine]
    return []
