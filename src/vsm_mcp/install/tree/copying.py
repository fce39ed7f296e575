"""Copies a source tree: its own files as plain files, within limits, and a digest that names exactly them."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import Limits
from vsm_mcp.install.files import home_errors, written
from vsm_mcp.install.installer import ArchiveMember

_CHUNK: Final = 1 << 20
_DEEPEST: Final = 64
# What is made anew here, what belongs to tools of the developer's, and what holds keys.
LEFT_OUT: Final = frozenset(
    {".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".nox", ".mypy_cache"}
    | {".pytest_cache", ".ruff_cache", ".hypothesis", ".idea", ".DS_Store", ".npmrc", ".netrc", ".pypirc", "uv.toml"}
)
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a tree holds: ``digest`` is ``sha256:hex`` of all names, modes and contents."""

    digest: str
    members: tuple[ArchiveMember, ...]


class _File(msgspec.Struct, frozen=True):
    name: str
    path: Path
    runs: bool


def copy_tree(source: Path, into: Path, limits: Limits) -> Copied:
    """Copy the tree at ``source`` to ``into``, which is made.

    A link to something within the tree becomes a copy of it; links that lead elsewhere, devices, pipes, repositories'
    own folders, dependencies, caches, environments and files that hold keys are left out. Raises
    :class:`InstallFailed` for a tree beyond the limits or one that cannot be read, :class:`HomeError` for the disk.
    """
    with home_errors(into):
        into.mkdir(parents=True, exist_ok=True)
    return _through(source, limits, into)


def measure_tree(source: Path, limits: Limits) -> Copied:
    """Return what :func:`copy_tree` would, without copying anything."""
    return _through(source, limits, None)


def _through(source: Path, limits: Limits, into: Path | None) -> Copied:
    members: list[ArchiveMember] = []
    total, digest = 0, hashlib.sha256()
    for file in _files(source.resolve(), source.resolve(), PurePosixPath(), 0):
        if len(members) >= limits.files:
            raise InstallFailed(f"{source.name} holds more than {limits.files} files", _LARGER)
        content = hashlib.sha256()
        size = 0
        for piece in _pieces(file, into):
            size += len(piece)
            if total + size > limits.size:
                raise InstallFailed(f"{source.name} holds more than {limits.size >> 20} MB", _LARGER)
            content.update(piece)
        total += size
        mode = 0o755 if file.runs else 0o644
        members.append(ArchiveMember(file.name, size, mode, "file"))
        digest.update(f"{mode:o} {content.hexdigest()} {len(os.fsencode(file.name))} ".encode())
        digest.update(os.fsencode(file.name))
    return Copied(digest=f"sha256:{digest.hexdigest()}", members=tuple(members))


_LARGER: Final = "leave out what is no part of the server, or raise [install] max_unpacked_bytes or max_files"


def _files(root: Path, folder: Path, below: PurePosixPath, depth: int) -> Iterator[_File]:
    """Yield the files of a tree in a fixed order; ``below`` is the name of ``folder`` in it."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        raise InstallFailed(f"{folder} cannot be read: {error.strerror}", "let this user read all of it") from error
    for name in names:
        path = _within(root, folder / name)
        if name in LEFT_OUT or name == ".env" or name.startswith(".env.") or path is None:
            continue
        try:
            facts = path.lstat()
        except OSError:
            continue  # gone since, or closed to us: its reader will say so
        if stat.S_ISREG(facts.st_mode):
            yield _File(str(below / name), path, bool(facts.st_mode & 0o111))
        elif stat.S_ISDIR(facts.st_mode) and not (path / "pyvenv.cfg").is_file():
            if depth >= _DEEPEST:
                raise InstallFailed(f"{root.name} has folders more than {_DEEPEST} deep", "leave them out")
            yield from _files(root, path, below / name, depth + 1)


def _within(root: Path, path: Path) -> Path | None:
    """Return where a path is, its links followed; ``None`` where that is outside of the tree, or above the link."""
    if not path.is_symlink():
        return path
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    parts = real.relative_to(root).parts if real.is_relative_to(root) else (".git",)
    return None if LEFT_OUT.intersection(parts) or path.is_relative_to(real) else real


def _pieces(file: _File, into: Path | None) -> Iterator[bytes]:
    try:
        descriptor = os.open(file.path, _READ)
    except OSError as error:
        raise InstallFailed(f"{file.path} cannot be read: {error.strerror}", "let this user read it") from error
    with open(descriptor, "rb", buffering=0) as source:  # noqa: PTH123 - a descriptor
        if into is None:
            yield from _read(source)
            return
        target = into / file.name
        with home_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        with written(target, 0o755 if file.runs else 0o644) as write:
            for piece in _read(source):
                write(piece)
                yield piece


def _read(source: IO[bytes] | io.FileIO) -> Iterator[bytes]:
    while piece := source.read(_CHUNK):
        yield piece
