"""The file of the shipped index: what it holds, written and read.

``VSMX`` + format (1 byte) + header length (4 bytes, little-endian) + header (JSON) + sections (zlib). The header maps
each section's name to its offset, its length in the file and its length unpacked; a reader unpacks only what it needs,
and later formats may add sections. Arrays are little-endian. All is columns over the packages, in descending order of
popularity, or over the stems, in alphabetical order:

``names``, ``versions`` (lines) · ``kinds`` (0 npm, 1 PyPI) · ``downloads`` (u32 a month, 0 unknown) · ``ranks`` (u16,
0 unknown) · ``months`` (u16, year · 12 + month - 1, 0 unknown) · ``variants`` (u8) · ``stems`` (lines) · ``starts``
(u32 for each stem, and the end) · ``places`` (u16: packages that hold it) · ``impacts`` (u8: BM25F term score · 100) ·
``terms`` (lines: the stems of each package) · ``tools`` (lines: the names of the tools of each package) · ``doing``
(u16: packages whose tools hold the stem in their names) · ``doing_starts`` (u32).
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

import msgspec
import numpy as np

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.matching.rarity import K1
from vsm_mcp.matching.tokens import joined, name_stems, stems
from vsm_mcp.model.ref import RefKind, normalise_pypi

MAGIC: Final = b"VSMX\x02"
KINDS: Final = (RefKind.NPM, RefKind.PYPI)
MOST_PACKAGES: Final = 65_535
_NAME_WEIGHT: Final = 2.0
_NAME_B: Final = 0.3
_TERMS_B: Final = 0.5
_SCALE: Final = 100.0
_BLOCK: Final = 1 << 16


class IndexRow(msgspec.Struct, frozen=True, kw_only=True):
    """One package on its way into the index. ``summary`` is cut into stems and not kept; ``tools`` are names."""

    kind: RefKind
    name: str
    version: str = ""
    summary: str = ""
    downloads: int = 0
    rank: int = 0
    month: str = ""
    variants: int = 0
    tools: tuple[str, ...] = ()


def popularity(row: IndexRow) -> float:
    """Return how much a package is used, 0…1, from downloads a month (npm) or rank (PyPI); 0 where neither is known."""
    return of_downloads(row.downloads) if row.downloads else of_rank(row.rank)


def place_of(row: IndexRow) -> tuple[float, RefKind, str]:
    """Return what the packages of the file are sorted by."""
    return -popularity(row), row.kind, row.name


def encode(rows: Iterable[IndexRow], about: Mapping[str, Any]) -> bytes:
    """Return the file for ``rows``; ``about`` (what it was built from) goes into the header."""
    ordered = sorted(rows, key=place_of)
    if len(ordered) > MOST_PACKAGES:
        raise ValueError(f"{len(ordered)} packages do not fit; the format holds {MOST_PACKAGES}")
    bags, done = _bags(ordered), [frozenset(stem for tool in row.tools for stem in name_stems(tool)) for row in ordered]
    known = sorted({term for name, terms in bags for term in (*name, *terms)}.union(*done))
    number = {term: place for place, term in enumerate(known)}
    sections: dict[str, bytes] = {
        "names": _lines(_written(row) for row in ordered),
        "versions": _lines(row.version for row in ordered),
        "kinds": bytes(KINDS.index(row.kind) for row in ordered),
        "downloads": _packed("I", (row.downloads for row in ordered)),
        "ranks": _packed("H", (row.rank for row in ordered)),
        "months": _packed("H", (_month(row.month) for row in ordered)),
        "variants": bytes(min(255, row.variants) for row in ordered),
        "stems": _lines(known),
        **_postings(bags, number),
        "terms": _lines(" ".join(sorted(name | terms)) for name, terms in bags),
        "tools": _lines(" ".join(row.tools) for row in ordered),
        **_doing(done, number),
    }
    return _file(sections, {**about, "packages": len(ordered), "stems": len(known)})


def _written(row: IndexRow) -> str:
    return normalise_pypi(row.name) if row.kind is RefKind.PYPI else row.name


def _bags(rows: Sequence[IndexRow]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Return the stems of each name and summary; words written apart here and together elsewhere count as both."""
    cut = [(name_stems(row.name), stems(row.summary)) for row in rows]
    single: dict[str, int] = {}
    for name, terms in cut:
        for term in {*name, *terms}:
            single[term] = single.get(term, 0) + 1
    return [
        (
            frozenset([*name, *(pair for pair in joined(name) if single.get(pair, 0) > 1)]),
            frozenset([*terms, *(pair for pair in joined(terms) if single.get(pair, 0) > 1)]),
        )
        for name, terms in cut
    ]


def _postings(bags: Sequence[tuple[frozenset[str], frozenset[str]]], number: Mapping[str, int]) -> dict[str, bytes]:
    count = max(1, len(bags))
    name_mean = sum(len(name) for name, _ in bags) / count or 1.0
    terms_mean = sum(len(terms) for _, terms in bags) / count or 1.0
    posted: list[list[tuple[int, int]]] = [[] for _ in number]
    for place, (name, terms) in enumerate(bags):
        name_norm = 1.0 - _NAME_B + _NAME_B * len(name) / name_mean
        terms_norm = 1.0 - _TERMS_B + _TERMS_B * len(terms) / terms_mean
        for term in name | terms:
            tf = (_NAME_WEIGHT / name_norm if term in name else 0.0) + (1.0 / terms_norm if term in terms else 0.0)
            posted[number[term]].append((place, round(_SCALE * tf * (K1 + 1.0) / (tf + K1))))
    return {
        "starts": _packed("I", accumulate(map(len, posted), initial=0)),
        "places": _packed("H", (place for posting in posted for place, _ in posting)),
        "impacts": bytes(min(255, impact) for posting in posted for _, impact in posting),
    }


def _doing(done: Sequence[frozenset[str]], number: Mapping[str, int]) -> dict[str, bytes]:
    posted: list[list[int]] = [[] for _ in number]
    for place, stems_of_tools in enumerate(done):
        for term in stems_of_tools:
            posted[number[term]].append(place)
    return {
        "doing": _packed("H", (place for posting in posted for place in posting)),
        "doing_starts": _packed("I", accumulate(map(len, posted), initial=0)),
    }


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def _packed(code: str, numbers: Iterable[int]) -> bytes:
    column = array(code, numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _month(text: str) -> int:
    year, _, month = text[:7].partition("-")
    return int(year) * 12 + int(month) - 1 if year.isdigit() and month.isdigit() else 0


def _file(sections: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    table: dict[str, tuple[int, int, int]] = {}
    body = bytearray()
    for name, raw in sections.items():
        packed = zlib.compress(raw, 9)
        table[name] = (len(body), len(packed), len(raw))
        body += packed
    header = msgspec.json.encode({"about": about, "sections": table})
    return MAGIC + len(header).to_bytes(4, "little") + header + bytes(body)


class Lines:
    """The lines of a text, each made when it is asked for: as many strings would take several times the memory."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._starts = array("I", (0,))
        letters = np.frombuffer(text, np.uint8)
        for start in range(0, len(text), _BLOCK):  # not all at once: what is freed again would stay with the process
            ends = np.flatnonzero(letters[start : start + _BLOCK] == ord("\n")) + (start + 1)
            self._starts.frombytes(ends.astype(np.uint32).tobytes())

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, place: int) -> str:
        return self._text[self._starts[place] : self._starts[place + 1] - 1].decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self._text.decode().split("\n")[:-1])


class _Header(msgspec.Struct):
    about: dict[str, Any]
    sections: dict[str, tuple[int, int, int]]


class IndexFile:
    """A file of the index, its columns unpacked when they are first used. Raises :class:`ConfigError` when damaged."""

    def __init__(self, content: bytes) -> None:
        if not content.startswith(MAGIC):
            raise ConfigError("the index of packages has another form", "reinstall vsm-mcp")
        start = len(MAGIC) + 4
        length = int.from_bytes(content[len(MAGIC) : start], "little")
        try:
            self._header = msgspec.json.decode(content[start : start + length], type=_Header)
        except msgspec.DecodeError as error:
            raise ConfigError(f"the index of packages is damaged: {error}", "reinstall vsm-mcp") from error
        self._body = memoryview(content)[start + length :]

    @property
    def about(self) -> dict[str, Any]:
        """What the index was built from, and its counts."""
        return self._header.about

    def _section(self, name: str) -> bytes:
        try:
            offset, length, size = self._header.sections[name]
            raw = zlib.decompress(self._body[offset : offset + length], bufsize=max(1, size))
        except (KeyError, zlib.error) as error:
            raise ConfigError(f"the index of packages is damaged ({name})", "reinstall vsm-mcp") from error
        if len(raw) != size:
            raise ConfigError(f"the index of packages is damaged ({name})", "reinstall vsm-mcp")
        return raw

    def _column(self, name: str, code: str) -> array[int]:
        column = array(code)
        column.frombytes(self._section(name))
        if sys.byteorder == "big":
            column.byteswap()
        return column

    @cached_property
    def names(self) -> Lines:
        """Package names, most popular first."""
        return Lines(self._section("names"))

    @cached_property
    def versions(self) -> Lines:
        """Latest versions when the lists were made."""
        return Lines(self._section("versions"))

    @cached_property
    def kinds(self) -> bytes:
        """Places in :data:`KINDS`."""
        return self._section("kinds")

    @cached_property
    def downloads(self) -> array[int]:
        """Downloads a month; 0 unknown."""
        return self._column("downloads", "I")

    @cached_property
    def ranks(self) -> array[int]:
        """Places among the most downloaded of PyPI; 0 below them."""
        return self._column("ranks", "H")

    @cached_property
    def months(self) -> array[int]:
        """Months of the last release; 0 unknown."""
        return self._column("months", "H")

    @cached_property
    def variants(self) -> bytes:
        """How many republications each stands for."""
        return self._section("variants")

    @cached_property
    def stems(self) -> Lines:
        """All stems, sorted."""
        return Lines(self._section("stems"))

    @cached_property
    def starts(self) -> array[int]:
        """Where each stem's postings start."""
        return self._column("starts", "I")

    @cached_property
    def places(self) -> array[int]:
        """Postings: packages."""
        return self._column("places", "H")

    @cached_property
    def impacts(self) -> bytes:
        """Postings: term scores."""
        return self._section("impacts")

    @cached_property
    def terms(self) -> Lines:
        """The stems of each package, a blank between."""
        return Lines(self._section("terms"))

    @cached_property
    def doing(self) -> array[int]:
        """Postings of the tools' names: packages."""
        return self._column("doing", "H")

    @cached_property
    def doing_starts(self) -> array[int]:
        """Where each stem's postings of the tools' names start."""
        return self._column("doing_starts", "I")

    @cached_property
    def tools(self) -> Lines:
        """The names of the tools of each package, as its sources declare them, a blank between."""
        return Lines(self._section("tools"))
