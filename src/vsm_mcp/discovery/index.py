"""The shipped index: the npm and PyPI packages that call themselves MCP servers, as facts.

``data/index.bin`` is built by ``tools/build_index.py`` from public lists. Nothing of it is read before the first
search; then only the columns that a search needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources.abc import Traversable
from threading import Lock
from typing import TYPE_CHECKING, Final

from vsm_mcp.discovery.meaning import DATA, ShippedMeaning, meaning
from vsm_mcp.discovery.source import Context, SourceState
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.ref import Ref

if TYPE_CHECKING:
    from vsm_mcp.discovery.package_index import PackageIndex
    from vsm_mcp.matching.meaning import Floats


_SURELY: Final = 0.5
_OF_KIND: Final = 8


class ShippedIndex:
    """The index of this installation, read when it is first needed; safe to use from several threads.

    With a meaning, the vectors of the packages are read with it, from the same folder.
    """

    def __init__(self, folder: Traversable = DATA, meaning: ShippedMeaning | None = None) -> None:
        self._folder = folder
        self._meaning = meaning
        self._lock = Lock()
        self._read: PackageIndex | None = None

    def get(self) -> PackageIndex:
        """Return the index. Raises :class:`ConfigError` when a file of it is missing or damaged."""
        with self._lock:
            if self._read is None:
                self._read = self._load()
            return self._read

    def _load(self) -> PackageIndex:
        # Imported here, because numpy comes with them: a process that searches nothing does not pay for it.
        from vsm_mcp.discovery import index_vectors  # noqa: PLC0415
        from vsm_mcp.discovery.index_file import IndexFile  # noqa: PLC0415
        from vsm_mcp.discovery.package_index import PackageIndex  # noqa: PLC0415

        try:
            file = IndexFile((self._folder / "index.bin").read_bytes())
        except OSError as error:
            raise ConfigError(f"the index of packages cannot be read: {error}", "reinstall vsm-mcp") from error
        table = index_vectors.read(self._folder, self._meaning.name, file.names) if self._meaning else None
        return PackageIndex(file, table)

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

    def vector(self, identity: str) -> Floats | None:
        """Return the vector of the package of this identity (:attr:`Ref.identity`), if it is in the index."""
        return self.get().vector_of(identity)


@cache
def shipped(semantic: bool = False) -> ShippedIndex:
    """Return the one copy in this process: source, vocabulary and vectors share it."""
    return ShippedIndex(meaning=meaning(semantic))


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
        read = self._matcher.need(need)
        of_kind = [
            place
            for name, share in read.called.items()
            if share >= _SURELY
            for place in index.of_kind(self._matcher.taxonomy.tags[name].phrases, _OF_KIND)
        ]
        ranked = index.search(read.query, limit - len(of_kind), read.vector, read.turns)
        found = map(index.candidate, dict.fromkeys([*(place for place, _ in ranked), *of_kind]))
        return [candidate for candidate in found if candidate is not None]

    async def about(self, refs: Sequence[Ref]) -> list[Candidate]:
        """Return what the index knows of the given references."""
        return await asyncio.to_thread(self._about, refs)

    def _about(self, refs: Sequence[Ref]) -> list[Candidate]:
        index = self._index.get()
        places = (index.find(ref) for ref in refs)
        found = (index.candidate(place) for place in places if place is not None)
        return [candidate for candidate in found if candidate is not None]


def build(context: Context) -> IndexSource:
    """Build the source (entry point ``vsm_mcp.sources: index``)."""
    return IndexSource(shipped(context.config.discovery.semantic), context.matcher)
