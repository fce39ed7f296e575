"""The shipped index: the npm and PyPI packages that call themselves MCP servers, as facts.

``data/index.bin`` is built by ``tools/build_index.py`` from public lists. Nothing of it is read before the first
search; then only the columns that a search needs.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Final

from vsm_mcp.discovery.index_file import KINDS, IndexFile
from vsm_mcp.discovery.source import Context, SourceState
from vsm_mcp.errors import ConfigError, VsmError
from vsm_mcp.matching.bm25 import idf
from vsm_mcp.matching.fuzzy import nearest
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

POPULARITY: Final = 0.3
"""How much use counts beside the words, where the best match of the words counts 1."""
_POOL: Final = 400


class PackageIndex:
    """Search over an index file; also the vocabulary whose word statistics weigh the words of a need."""

    def __init__(self, file: IndexFile) -> None:
        self._file = file

    @property
    def documents(self) -> int:
        """Number of packages."""
        return len(self._file.names)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {term: number for number, term in enumerate(self._file.stems)}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {
            _key(kind, name): place
            for place, (kind, name) in enumerate(zip(self._file.kinds, self._file.names, strict=True))
        }

    def holding(self, term: str) -> int:
        """Return how many packages hold the stem."""
        number = self._numbers.get(term)
        return 0 if number is None else self._file.starts[number + 1] - self._file.starts[number]

    def near(self, term: str) -> Mapping[str, float]:
        """Return known stems that an unknown one may be a misspelling of; those of one package alone are none."""
        return {other: weight for other, weight in nearest(term, self._numbers).items() if self.holding(other) > 1}

    def key(self, place: int) -> str:
        """Return the name of the package at ``place``."""
        return self._file.names[place]

    def popularity(self, place: int) -> float:
        """Return how much the package at ``place`` is used, 0…1."""
        downloads = self._file.downloads[place]
        return of_downloads(downloads) if downloads else of_rank(self._file.ranks[place])

    def search(self, query: Mapping[str, float], limit: int) -> list[tuple[int, float]]:
        """Return up to ``limit`` (place, score) for weighted stems, best first; 0 < score ≤ 1 + :data:`POPULARITY`."""
        scores: dict[int, float] = {}
        starts, places, impacts = self._file.starts, self._file.places, self._file.impacts
        for term, weight in query.items():
            number = self._numbers.get(term)
            if number is None:
                continue
            start, end = starts[number], starts[number + 1]
            factor = weight * idf(self.documents, end - start)
            for place, impact in zip(places[start:end], impacts[start:end], strict=True):
                scores[place] = scores.get(place, 0.0) + factor * impact
        pool = heapq.nsmallest(max(limit, _POOL), scores.items(), key=lambda item: (-item[1], item[0]))
        top = pool[0][1] if pool else 1.0
        mixed = [(place, score / top + POPULARITY * self.popularity(place)) for place, score in pool]
        return sorted(mixed, key=lambda item: (-item[1], item[0]))[:limit]

    def find(self, ref: Ref) -> int | None:
        """Return the place of a reference's package, or ``None``."""
        if ref.kind not in KINDS:
            return None
        name = ref.identity.removeprefix("pypi:") if ref.kind is RefKind.PYPI else ref.name
        return self._places.get(_key(KINDS.index(ref.kind), name))

    def candidate(self, place: int) -> Candidate | None:
        """Return the package at ``place``; ``None`` for a name that is no reference."""
        file = self._file
        kind, name = KINDS[file.kinds[place]], file.names[place]
        try:
            ref = parse_ref(f"{kind.value}:{name}")
        except VsmError:
            return None
        month = file.months[place]
        bag = file.bags[file.bag_starts[place] : file.bag_starts[place + 1]]
        return Candidate(
            ref=ref,
            name=name,
            terms=" ".join(file.stems[number] for number in bag),
            facts=PackageFacts(
                version=file.versions[place],
                downloads=file.downloads[place] or None,
                download_rank=file.ranks[place] if kind is RefKind.PYPI else None,
                published=f"{month // 12:04d}-{month % 12 + 1:02d}" if month else None,
            ),
            variants=file.variants[place],
        )


def _key(kind: int, name: str) -> str:
    return f"{kind}{name}"


class ShippedIndex:
    """The index of this installation, read when it is first needed; safe to use from several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = Lock()
        self._read: PackageIndex | None = None

    def get(self) -> PackageIndex:
        """Return the index. Raises :class:`ConfigError` when its file is missing or damaged."""
        with self._lock:
            if self._read is None:
                self._read = PackageIndex(IndexFile(self._content()))
            return self._read

    def _content(self) -> bytes:
        try:
            if self._path is not None:
                return self._path.read_bytes()
            return (files("vsm_mcp.discovery") / "data" / "index.bin").read_bytes()
        except OSError as error:
            raise ConfigError(f"the index of packages cannot be read: {error}", "reinstall vsm-mcp") from error

    @property
    def documents(self) -> int:
        """Number of packages."""
        return self.get().documents

    def holding(self, term: str) -> int:
        """Return how many packages hold the stem."""
        return self.get().holding(term)

    def near(self, term: str) -> Mapping[str, float]:
        """Return known stems that an unknown one may be a misspelling of."""
        return self.get().near(term)


class IndexSource:
    """The shipped index as a source."""

    name = "index"
    state = SourceState.OK

    def __init__(self, index: ShippedIndex, matcher: Matcher) -> None:
        self._index = index
        self._matcher = matcher

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return the packages whose names and terms match the need, adopted ones first among equals."""
        return await asyncio.to_thread(self._search, need, limit)

    def _search(self, need: str, limit: int) -> list[Candidate]:
        index = self._index.get()
        found = (index.candidate(place) for place, _ in index.search(self._matcher.need(need).query, limit))
        return [candidate for candidate in found if candidate is not None]

    async def about(self, refs: Sequence[Ref]) -> list[Candidate]:
        """Return what the index knows of the given references."""
        return await asyncio.to_thread(self._about, refs)

    def _about(self, refs: Sequence[Ref]) -> list[Candidate]:
        index = self._index.get()
        places = (index.find(ref) for ref in refs)
        found = (index.candidate(place) for place in places if place is not None)
        return [candidate for candidate in found if candidate is not None]


SHIPPED: Final = ShippedIndex()
"""The one copy in this process: source and vocabulary share it."""


def build(context: Context) -> IndexSource:
    """Build the source (entry point ``vsm_mcp.sources: index``)."""
    return IndexSource(SHIPPED, context.matcher)
