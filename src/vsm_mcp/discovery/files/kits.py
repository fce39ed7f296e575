"""The kits of this machine: ours and MAGG's (entry point ``vsm_mcp.sources: kits``).

They lie as ``NAME.json`` in ``kit.d`` folders: that of our home; that beside MAGG's own configuration; those of
``MAGG_PATH``, which is ``./.magg`` and ``~/.magg`` where it is not set; and that which MAGG ships. Of two kits with one
name the first counts. Their servers that are not enabled are left out.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.discovery.files.file_source import FileSource, Finds
from vsm_mcp.discovery.files.places import Places
from vsm_mcp.discovery.files.reading import Unreadable, read_document
from vsm_mcp.discovery.files.sighting import sighted
from vsm_mcp.discovery.source import Context
from vsm_mcp.errors import VsmError
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.client_shapes import entries_of, off
from vsm_mcp.model.kit import OWN, Kit, kit_of
from vsm_mcp.model.ref import parse_ref

FOLDER: Final = "kit.d"
_MOST: Final = 500


class Shelf(msgspec.Struct):
    """The kits that were found, by name, each with its file; and what could not be used."""

    kits: dict[str, tuple[Kit, Path]]
    troubles: list[str]


def kit_folders(home: Path, environ: Mapping[str, str], more: Sequence[str] = ()) -> list[Path]:
    """Return the folders that hold kits, in the order in which they count; ``more`` come after that of the home."""
    places = Places(environ)
    folders = [home / FOLDER, *(path for path in map(places.path, more) if path is not None)]
    given = environ.get("MAGG_CONFIG_PATH", "")
    if given:
        folders.append(Path(given).parent / FOLDER)
    path = environ.get("MAGG_PATH", "")
    above = path.split(os.pathsep) if path else [".magg", "~/.magg"]
    folders += [start / FOLDER for start in map(places.path, filter(None, above)) if start is not None]
    return list(dict.fromkeys([*folders, *_shipped(environ)]))


def _shipped(environ: Mapping[str, str]) -> list[Path]:
    """Return where MAGG has its own kits, if it is on the ``PATH``: beside the Python that its program belongs to."""
    program = shutil.which("magg", path=environ.get("PATH", ""))
    if program is None:
        return []
    try:
        prefix = Path(program).resolve().parent.parent
        return sorted(prefix.glob(f"lib/python3.*/site-packages/magg/contrib/{FOLDER}"))
    except OSError:
        return []


def find_kits(folders: Sequence[Path]) -> Shelf:
    """Read the kits in some folders."""
    shelf = Shelf({}, [])
    for folder in folders:
        for path in _files(folder, shelf):
            if path.stem in shelf.kits:
                continue
            try:
                kit = read_kit(path)
            except Unreadable as error:
                shelf.troubles.append(error.message)
                continue
            if kit is not None:
                shelf.kits[path.stem] = (kit, path)
    return shelf


def read_kit(path: Path) -> Kit | None:
    """Read one kit; ``None`` where there is none. Raises :class:`Unreadable`."""
    document = read_document(path)
    try:
        return None if document is None else kit_of(document, path.stem)
    except ValueError as error:
        raise Unreadable(f"{path}: {error}") from error


def _files(folder: Path, shelf: Shelf) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        shelf.troubles.append(f"{folder}: {error.strerror}")
        return []
    return found[:_MOST]


def look(folders: Sequence[Path]) -> Finds:
    """Return the servers of all kits in some folders."""
    shelf, finds = find_kits(folders), Finds()
    finds.troubles, finds.read = shelf.troubles, len(shelf.kits)
    for kit, path in shelf.kits.values():
        take(kit, str(path), finds)
    return finds


def take(kit: Kit, where: str, finds: Finds) -> None:
    """Take in the servers of one kit."""
    for title, entry in entries_of({"servers": kit.servers}, (("servers",),)).items():
        if off(entry):
            continue
        try:
            finds.candidates.append(_with_the_kits_words(_own(title, entry) or sighted(title, entry), kit, entry))
        except (Unfit, VsmError) as error:
            reason = error.message if isinstance(error, VsmError) else str(error)
            finds.troubles.append(f"{where}: {title[:40]}: {reason}")


def _own(title: str, entry: object) -> Candidate | None:
    """Return the server that our own key names, where it is there."""
    own = entry.get(OWN) if isinstance(entry, Mapping) else None
    ref = own.get("ref") if isinstance(own, Mapping) else None
    if not isinstance(ref, str) or not isinstance(entry, Mapping):
        return None
    return msgspec.structs.replace(
        sighted(title, {**entry, "url": None, "command": "x", "args": []}), ref=parse_ref(ref)
    )


def _with_the_kits_words(candidate: Candidate, kit: Kit, entry: Mapping[str, object]) -> Candidate:
    source = entry.get("source")
    url = source if isinstance(source, str) and source.startswith("https://") else None
    return msgspec.structs.replace(
        candidate,
        description=candidate.description or kit.text("description"),
        terms=" ".join((kit.text("name"), kit.text("description"), *kit.keywords)),
        facts=PackageFacts(repository=url) if url and "://github.com/" in url else PackageFacts(homepage=url),
    )


def build(context: Context) -> FileSource:
    """Build the source."""
    config = context.config
    return FileSource("kits", functools.partial(_look, config), context.matcher)


def _look(config: Config) -> Finds:
    return look(kit_folders(config.home, config.environ, config.discovery.files.kits))
