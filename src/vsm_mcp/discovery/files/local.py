"""Servers that lie about on this machine (entry point ``vsm_mcp.sources: local``).

In the folders that people use: ``mcp.json`` and ``.mcp.json``, bundles, and projects that declare themselves servers,
in the folder itself and one level below. On the ``PATH``: programs whose name is that of a server; nothing is run, and
nothing but the name is known of them.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from vsm_mcp.discovery.files.bundles import SUFFIXES, bundle
from vsm_mcp.discovery.files.clients import ClaudeCode
from vsm_mcp.discovery.files.file_source import FileSource, Finds
from vsm_mcp.discovery.files.places import Places, project_folders
from vsm_mcp.discovery.files.projects import node_project, python_project
from vsm_mcp.discovery.files.reading import Unreadable
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.discovery.source import Context
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.client_shapes import entries_of
from vsm_mcp.model.ref import Ref, RefKind

_FILES: Final = ("mcp.json", ".mcp.json")
_PROJECTS: Final = {"package.json": node_project, "pyproject.toml": python_project}
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_MOST_BELOW: Final = 300
_MOST_IN_PATH: Final = 20_000
_PROGRAM: Final = re.compile(r"(?:[A-Za-z0-9]+[-_.])*mcp(?:[-_.][A-Za-z0-9]+)*", re.IGNORECASE)
_SUFFIXES: Final = frozenset({".exe", ".cmd", ".bat"})
# Programs with such a name that are no servers: ours, the SDK's, and those that only reach or look at servers.
_NO_SERVERS: Final = frozenset(
    {"mcp", "vsm-mcp", "fastmcp", "mcp-remote", "mcp-proxy", "mcp-inspector", "mcp-cli", "mcp-publisher", "docker-mcp"}
)


def look(folders: Sequence[Path], environ: Mapping[str, str], places: Places) -> Finds:
    """Look through some folders, and at the names on the ``PATH``."""
    finds = Finds()
    claude = ClaudeCode(places, Finds())
    for folder in folders:
        names = _names(folder, finds)
        for name in _FILES:
            if name in names:
                _take_file(folder / name, finds, claude.off(folder) if name.startswith(".") else ())
        _take_bundles(folder, names, finds)
        below = [folder / name for name in sorted(names) if name not in _SKIPPED and not name.startswith(".")]
        for place in [folder, *islice((path for path in below if path.is_dir()), _MOST_BELOW)]:
            _take_project(place, finds)
    finds.candidates += programs(environ.get("PATH", ""))
    return finds


def _names(folder: Path, finds: Finds) -> frozenset[str]:
    try:
        with os.scandir(folder) as found:
            return frozenset(entry.name for entry in islice(found, 10 * _MOST_BELOW))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except (OSError, ValueError) as error:
        finds.troubles.append(f"{folder}: {getattr(error, 'strerror', None) or 'its name cannot be used'}")
        return frozenset()


def _take_file(path: Path, finds: Finds, without: Iterable[str]) -> None:
    document = finds.document(path)
    if document is not None:
        finds.take(path, entries_of(document), without, path.parent)


def _take_bundles(folder: Path, names: Iterable[str], finds: Finds) -> None:
    for name in sorted(names):
        if not name.endswith(SUFFIXES):
            continue
        try:
            found = bundle(folder / name)
        except Unreadable as error:
            finds.troubles.append(error.message)
            continue
        finds.read += 1
        finds.candidates += [found] if found else []


def _take_project(folder: Path, finds: Finds) -> None:
    for name, read in _PROJECTS.items():
        document: Any = finds.document(folder / name)
        try:
            found = read(document, folder.absolute()) if document is not None else None
        except Unfit as error:
            finds.troubles.append(f"{folder}: {error}")
            continue
        finds.candidates += [found] if found else []


def programs(path: str) -> list[Candidate]:
    """Return the programs of a ``PATH`` that have the name of a server."""
    found: dict[str, None] = {}
    for folder in dict.fromkeys(filter(os.path.isabs, path.split(os.pathsep))):
        found |= dict.fromkeys(_programs(folder))
    return [Candidate(ref=Ref(RefKind.CMD, name), name=name) for name in found]


def _programs(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            named = [entry for entry in islice(entries, _MOST_IN_PATH) if _is_named_so(entry.name)]
        return sorted(_bare(entry.name) for entry in named if entry.is_file() and os.access(entry.path, os.X_OK))
    except OSError:  # people's PATH names folders that are not there, or that they may not read
        return []


def _is_named_so(name: str) -> bool:
    bare = _bare(name)
    known = len(bare) < 100 and _PROGRAM.fullmatch(bare) is not None and bare.lower() not in _NO_SERVERS
    return known and calls_itself_server(bare, "")


def _bare(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix.lower()}" in _SUFFIXES else name


def build(context: Context) -> FileSource:
    """Build the source."""
    config = context.config
    return FileSource(
        "local", functools.partial(_look, config.environ, config.discovery.files.folders), context.matcher
    )


def _look(environ: Mapping[str, str], folders: Sequence[str]) -> Finds:
    places = Places(environ)
    named = [path for path in map(places.path, folders) if path is not None]
    return look(list(dict.fromkeys([*project_folders(places), *named])), environ, places)
