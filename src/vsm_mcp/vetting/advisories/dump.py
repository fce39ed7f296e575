"""Advisories on this machine: a folder or a zip with records of OSV, with an index beside our own files.

A dump of everything has some 200,000 records: it is read whole once, and again when it changed; then the index says
where the records of a package are.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from vsm_mcp.vetting.advisories.ranges import NPM, PYPI
from vsm_mcp.vetting.advisories.record import Advisory, Package, key_of

_MAX_RECORD: Final = 4 * 1024 * 1024
_IN_ZIP: Final = "!"
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAY: Final = 86_400.0
_FORM: Final = 1
_LOCAL: Final = struct.Struct("<26x2H")  # a local file header up to the lengths of its name and extra field


class Unreadable(Exception):
    """The dump is not there, or is none."""


class _AffectedBriefly(msgspec.Struct, frozen=True):
    package: Package | None = None


class _Briefly(msgspec.Struct, frozen=True):
    affected: tuple[_AffectedBriefly, ...] = ()


class Index(msgspec.Struct, kw_only=True):
    """Where the records of each package are.

    ``stamp`` tells whether the files changed, ``at`` when the newest of them was written (Unix time); ``unread`` counts
    records that could not be read.
    """

    form: int = _FORM
    stamp: str = ""
    at: float = 0.0
    records: int = 0
    unread: int = 0
    places: dict[str, list[str]] = {}

    def age_days(self, now: float) -> float:
        """Return how many days ago the newest file was written."""
        return max(0.0, (now - self.at) / _DAY)


class Dump:
    """The records at ``path``; the index is kept in the file ``index``."""

    def __init__(self, path: Path, index: Path) -> None:
        self._path = path
        self._file = index
        self._index: Index | None = None
        self._opening = asyncio.Lock()

    async def opened(self) -> Index:
        """Return the index, made anew where files changed. Raises :class:`Unreadable`."""
        async with self._opening:
            stamp, at = await asyncio.to_thread(self._stamp)
            if self._index is None or self._index.stamp != stamp:
                self._index = await asyncio.to_thread(self._loaded, stamp, at)
            return self._index

    async def about(self, packages: Iterable[tuple[str, str]]) -> list[Advisory]:
        """Return the records about packages, ``(ecosystem, name)``. Raises :class:`Unreadable`."""
        index = await self.opened()
        places = {place: None for eco, name in packages for place in index.places.get(key_of(eco, name), ())}
        return await asyncio.to_thread(lambda: list(self._read(places)))

    def _stamp(self) -> tuple[str, float]:
        try:
            files = [(str(file.relative_to(self._path)), file.stat()) for file in self._files()]
        except OSError as error:
            raise Unreadable(f"{self._path} cannot be read: {error.strerror}") from error
        if not files:
            raise Unreadable(f"{self._path} holds no records")
        told = "".join(f"{name} {stat.st_size} {stat.st_mtime_ns}\n" for name, stat in files)
        digest = hashlib.sha256(f"{self._path}\n{told}".encode("utf-8", "surrogateescape")).hexdigest()
        return digest, max(stat.st_mtime for _, stat in files)

    def _files(self) -> list[Path]:
        if self._path.is_file():
            return [self._path]
        return sorted(file for file in self._path.rglob("*") if file.suffix in {".json", ".zip"} and file.is_file())

    def _loaded(self, stamp: str, at: float) -> Index:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            kept = msgspec.msgpack.decode(self._file.read_bytes(), type=Index)
            if kept.stamp == stamp and kept.form == _FORM:
                return kept
        made = Index(stamp=stamp, at=at)
        for file in self._files():
            for place, body in self._records(file):
                self._take(made, place, body)
        if not made.records:
            raise Unreadable(f"{self._path} holds no records of OSV")
        with contextlib.suppress(OSError):  # without the index everything works, only slower
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._file.with_suffix(f".{time.monotonic_ns()}")
            fresh.write_bytes(msgspec.msgpack.encode(made))
            fresh.replace(self._file)
        return made

    def _take(self, index: Index, place: str, body: bytes) -> None:
        try:
            brief = msgspec.json.decode(body, type=_Briefly)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            index.unread += 1
            return
        index.records += 1
        packages = [each.package for each in brief.affected if each.package and each.package.ecosystem in {NPM, PYPI}]
        for key in {key_of(package.ecosystem, package.name) for package in packages}:
            index.places.setdefault(key, []).append(place)

    def _records(self, file: Path) -> Iterator[tuple[str, bytes]]:
        name = "" if file == self._path else str(file.relative_to(self._path))
        try:
            if file.suffix != ".zip" and not zipfile.is_zipfile(file):
                yield name, _capped(file.open("rb"))
                return
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(".json") and member.compress_type in _METHODS:
                        at = f"{member.header_offset},{member.compress_size},{member.compress_type}"
                        yield f"{name}{_IN_ZIP}{at}", _capped(archive.open(member))
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise Unreadable(f"{file} cannot be read: {error}") from error

    def _read(self, places: Iterable[str]) -> Iterator[Advisory]:
        try:
            for place in places:
                name, inside, at = place.partition(_IN_ZIP)
                with (self._path / name if name else self._path).open("rb") as file:
                    body = _member(file, *map(int, at.split(","))) if inside else file.read(_MAX_RECORD)
                yield msgspec.json.decode(body, type=Advisory)
        except (OSError, ValueError, zlib.error, struct.error, msgspec.MsgspecError) as error:
            raise Unreadable(f"{self._path} cannot be read: {error}") from error


def _member(file: IO[bytes], offset: int, size: int, method: int) -> bytes:
    """Return one member of a zip. Its directory, which ``zipfile`` reads whole, may have 200,000 entries."""
    file.seek(offset)
    name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    file.seek(name + extra, 1)
    packed = file.read(size)
    return (
        packed if method == zipfile.ZIP_STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MAX_RECORD)
    )


def _capped(file: IO[Any]) -> bytes:
    """Return a record's bytes; of one that is longer than any honest one, none."""
    with file:
        body: bytes = file.read(_MAX_RECORD + 1)
    return body if len(body) <= _MAX_RECORD else b""
