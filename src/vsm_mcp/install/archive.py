"""Unpacks the archives of packages: plain files below one directory, within limits, or nothing."""

from __future__ import annotations

import hashlib
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec

from vsm_mcp.errors import HomeError, InstallFailed
from vsm_mcp.install.files import home_errors, written
from vsm_mcp.install.installer import ArchiveMember

_CHUNK: Final = 1 << 20
_MAX_RATIO: Final = 200
_RATIO_FLOOR: Final = 50 * 1024 * 1024
_HINT: Final = "the archive is malformed or hostile; do not install this version"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much an archive may unpack to: ``size`` in bytes over all files, ``files`` entries."""

    size: int
    files: int


def digest_of(path: Path, algorithm: str) -> str:
    """Return ``algorithm:hex`` of a file."""
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def unpack_tarball(archive: Path, into: Path, limits: Limits, *, strip: int = 1) -> tuple[ArchiveMember, ...]:
    """Unpack a (compressed) tar file without its first ``strip`` path parts, as npm does.

    Raises :class:`InstallFailed` for links, devices, paths that lead outside, and archives beyond the limits.
    """
    budget = _Budget(limits, archive)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for info in tar:
                if info.type in {tarfile.XGLTYPE, tarfile.XHDTYPE}:
                    continue
                name = _safe(info.name, strip)
                member = ArchiveMember(name, info.size, info.mode & 0o7777, _tar_kind(info))
                budget.count(member)
                if name and member.kind == "file":
                    source = tar.extractfile(info)
                    if source is not None:
                        _write(source, into / name, budget, member)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise _unreadable(archive, error) from error
    return tuple(budget.members)


def unpack_zip(archive: Path, into: Path, limits: Limits, *, strip: int = 0) -> tuple[ArchiveMember, ...]:
    """Unpack a zip file (a wheel) without its first ``strip`` path parts.

    Raises :class:`InstallFailed` for links, names that come twice, paths that lead outside, and archives beyond the
    limits.
    """
    budget = _Budget(limits, archive)
    try:
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                mode = info.external_attr >> 16
                name = _safe(info.filename, strip)
                member = ArchiveMember(name, info.file_size, stat.S_IMODE(mode), _zip_kind(info, mode))
                budget.count(member, unique=True)
                if name and member.kind == "file":
                    with wheel.open(info) as source:
                        _write(source, into / name, budget, member)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError) as error:
        raise _unreadable(archive, error) from error
    return tuple(budget.members)


class _Budget:
    def __init__(self, limits: Limits, archive: Path) -> None:
        self.members: list[ArchiveMember] = []
        self._limits = limits
        self._written = 0
        self._most = min(limits.size, max(_RATIO_FLOOR, archive.stat().st_size * _MAX_RATIO))
        self._names: set[str] = set()

    def count(self, member: ArchiveMember, *, unique: bool = False) -> None:
        if member.kind not in {"file", "dir"}:
            raise InstallFailed(f"the archive holds a {member.kind}: {member.name!r}", _HINT)
        if unique and member.name in self._names:
            raise InstallFailed(f"the archive holds {member.name!r} twice", _HINT)
        self._names.add(member.name)
        self.members.append(member)
        if len(self.members) > self._limits.files:
            raise InstallFailed(f"the archive holds more than {self._limits.files} files", _LARGER)

    def spend(self, size: int) -> None:
        self._written += size
        if self._written > self._most:
            raise InstallFailed(f"the archive unpacks to more than {self._most >> 20} MB", _LARGER)


_LARGER: Final = "if you trust it, raise [install] max_unpacked_bytes or max_files"


def _safe(name: str, strip: int) -> str:
    """Return the path below the target, or ``""`` for what ``strip`` leaves nothing of."""
    if not name or "\0" in name or "\\" in name or name.startswith("/") or len(name) > 1024:
        raise InstallFailed(f"the archive holds an unusable path: {name[:80]!r}", _HINT)
    parts = PurePosixPath(name).parts
    if ".." in parts or (parts and parts[0].endswith(":")):
        raise InstallFailed(f"the archive holds a path that leads outside: {name[:80]!r}", _HINT)
    return "/".join(parts[strip:])


def _tar_kind(info: tarfile.TarInfo) -> str:
    kinds = {
        "file": info.isreg(),
        "dir": info.isdir(),
        "symbolic link": info.issym(),
        "hard link": info.islnk(),
    }
    return next((kind for kind, is_it in kinds.items() if is_it), "device")


def _zip_kind(info: zipfile.ZipInfo, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "device"
    return "dir" if info.is_dir() else "file"


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_CHUNK):
        yield piece


def _write(source: IO[bytes], path: Path, budget: _Budget, member: ArchiveMember) -> None:
    try:
        with home_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with written(path, 0o755 if member.mode & 0o111 else 0o644) as write:
            for piece in _pieces(source):
                budget.spend(len(piece))
                write(piece)
    except HomeError as error:
        if isinstance(error.__cause__, (NotADirectoryError, IsADirectoryError, FileExistsError)):
            raise InstallFailed(f"the archive holds {member.name!r} as file and as directory", _HINT) from error
        raise


def _unreadable(archive: Path, error: Exception) -> InstallFailed:
    return InstallFailed(f"{archive.name} cannot be unpacked: {error}", _HINT)
