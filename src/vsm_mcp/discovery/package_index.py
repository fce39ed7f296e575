"""Search over the columns of an index file: by words, by meaning, by use."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, lru_cache, reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.discovery.index_file import KINDS, IndexFile
from vsm_mcp.errors import VsmError
from vsm_mcp.matching.conversion import Turn, kept, turns
from vsm_mcp.matching.fuzzy import Beginnings
from vsm_mcp.matching.meaning import Floats, Table, best, spread
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.matching.rarity import K1, idf
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

WORDS, MEANING = 0.3, 0.7
"""How much words and meaning count."""
POPULARITY: Final = 0.3
"""How much use counts beside the words, where the best match of the words counts 1."""
IN_TOOLS: Final = 0.5
"""How much a word of a tool's name counts, where one of the summary counts 1 (Okapi BM25F, length norm 0.5)."""
_POOL: Final = 400
_MOST_ASKED: Final = 4_096
_NUMBERS: Final = {kind.value: number for number, kind in enumerate(KINDS)}


class PackageIndex:
    """Search over an index file; also the vocabulary whose word statistics weigh the words of a need."""

    def __init__(self, file: IndexFile, table: Table | None = None) -> None:
        self._file = file
        self._table = table
        self._number = lru_cache(_MOST_ASKED)(self._number_of)

    @property
    def documents(self) -> int:
        """Number of packages."""
        return len(self._file.names)

    @cached_property
    def _places(self) -> tuple[dict[str, int], ...]:
        """Return for each of :data:`KINDS` the places by name."""
        places: tuple[dict[str, int], ...] = tuple({} for _ in KINDS)
        for place, (kind, name) in enumerate(zip(self._file.kinds, self._file.names, strict=True)):
            places[kind][name] = place
        return places

    def _number_of(self, term: str) -> int | None:
        """Return the number of a stem. They are sorted: a mapping of them all would take megabytes."""
        stems = self._file.stems
        number = bisect_left(stems, term)
        return number if number < len(stems) and stems[number] == term else None

    def holding(self, term: str) -> int:
        """Return how many packages hold the stem."""
        number = self._number(term)
        return 0 if number is None else self._file.starts[number + 1] - self._file.starts[number]

    def near(self, term: str) -> Mapping[str, float]:
        """Return known stems that an unknown one may be a misspelling of; those of one package alone are none."""
        return {other: weight for other, weight in self._beginnings.nearest(term).items() if self.holding(other) > 1}

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self._file.stems)

    def key(self, place: int) -> str:
        """Return the name of the package at ``place``."""
        return self._file.names[place]

    @cached_property
    def _used(self) -> int:
        """Return how many packages are known to be used at all: they come first."""
        return bisect_left(range(self.documents), True, key=lambda place: self.popularity(place) <= 0.0)

    def popularity(self, place: int) -> float:
        """Return how much the package at ``place`` is used, 0…1."""
        downloads = self._file.downloads[place]
        return of_downloads(downloads) if downloads else of_rank(self._file.ranks[place])

    def search(
        self,
        query: Mapping[str, float],
        limit: int,
        vector: Floats | None = None,
        wanted: AbstractSet[Turn] = frozenset(),
    ) -> list[tuple[int, float]]:
        """Return up to ``limit`` (place, score), best first: by words, by meaning where ``vector`` gives it, by use.

        ``query`` holds weighted stems. Without a vector only packages that hold one of them are found. One whose name
        says the reverse of what is ``wanted`` to be turned into what (``pdf-to-markdown``) counts for less.
        """
        words = self._words(query)
        scores = words / (words.max(initial=0.0) or 1.0)
        if vector is not None and self._table is not None:
            scores = WORDS * scores + MEANING * spread(self._table.near(vector), self.documents)
        pool = [place for place in best(scores, max(limit, _POOL)) if scores[place] > 0.0]
        used = {place: POPULARITY * self.popularity(place) for place in pool if place < self._used}
        mixed = [(place, float(scores[place]) + used.get(place, 0.0)) for place in pool]
        if wanted:
            mixed = [(place, score * kept(wanted, turns(self.key(place)))) for place, score in mixed]
        return sorted(mixed, key=lambda item: (-item[1], item[0]))[:limit]

    def of_kind(self, phrases: Iterable[Collection[str]], limit: int) -> list[int]:
        """Return up to ``limit`` places of packages that hold most of the phrases, the more used first among equals.

        A single stem is ambiguous: two at least have to be held.
        """
        held = np.zeros(self.documents, np.uint8)
        for phrase in phrases:
            places = [self._holders(term) for term in phrase]
            held[reduce(_in_both, places)] += len(places)
        order = np.argsort(-held.astype(np.int16), kind="stable")[:limit]
        return [int(place) for place in order if held[place] > 1]

    def _holders(self, term: str) -> NDArray[np.uint16]:
        number = self._number(term)
        places = self._postings[0]
        return places[:0] if number is None else places[self._file.starts[number] : self._file.starts[number + 1]]

    def _words(self, query: Mapping[str, float]) -> Floats:
        scores = np.zeros(self.documents, np.float32)
        places, impacts = self._postings
        for own, factor in self._weighed(query, self._file.starts):
            scores[places[own]] += impacts[own] * factor
        places, doing = self._doing
        for own, factor in self._weighed(query, self._file.doing_starts):
            scores[places[own]] += doing[places[own]] * factor
        return scores

    def _weighed(self, query: Mapping[str, float], starts: Sequence[int]) -> Iterator[tuple[slice, np.float32]]:
        """Yield where the postings of each known stem stand, and what it counts: less the more packages hold it."""
        for term, weight in query.items():
            number = self._number(term)
            if number is not None:
                own = slice(starts[number], starts[number + 1])
                yield own, np.float32(weight * idf(self.documents, own.stop - own.start))

    @cached_property
    def _doing(self) -> tuple[NDArray[np.uint16], Floats]:
        """Return the postings of the tools' names, and what a word there counts for each package: less among many."""
        places = np.frombuffer(self._file.doing, np.uint16)
        words = np.bincount(places, minlength=self.documents).astype(np.float32)
        usual = np.float32(words.sum() / max(1, np.count_nonzero(words)) or 1.0)
        often = np.float32(IN_TOOLS) / (np.float32(0.5) + np.float32(0.5) * words / usual)
        impacts: Floats = np.float32(100.0 * (K1 + 1.0)) * often / (often + np.float32(K1))
        return places, impacts

    @cached_property
    def _postings(self) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        return np.frombuffer(self._file.places, np.uint16), np.frombuffer(self._file.impacts, np.uint8)

    def vector_of(self, identity: str) -> Floats | None:
        """Return the vector of the package of this identity (:attr:`Ref.identity`), where there is one."""
        kind, _, name = identity.partition(":")
        place = self._places[_NUMBERS[kind]].get(name) if kind in _NUMBERS else None
        return None if place is None or self._table is None else self._table.row(place)

    def find(self, ref: Ref) -> int | None:
        """Return the place of a reference's package, or ``None``."""
        if ref.kind not in KINDS:
            return None
        name = ref.identity.removeprefix("pypi:") if ref.kind is RefKind.PYPI else ref.name
        return self._places[KINDS.index(ref.kind)].get(name)

    def candidate(self, place: int) -> Candidate | None:
        """Return the package at ``place``; ``None`` for a name that is no reference."""
        file = self._file
        kind, name = KINDS[file.kinds[place]], file.names[place]
        try:
            ref = parse_ref(f"{kind.value}:{name}")
        except VsmError:
            return None
        month = file.months[place]
        return Candidate(
            ref=ref,
            name=name,
            terms=file.terms[place],
            facts=PackageFacts(
                version=file.versions[place],
                downloads=file.downloads[place] or None,
                download_rank=file.ranks[place] if kind is RefKind.PYPI else None,
                published=f"{month // 12:04d}-{month % 12 + 1:02d}" if month else None,
            ),
            variants=file.variants[place],
            tools=tuple([(tool, "") for tool in file.tools[place].split()]),
        )


def _in_both(one: NDArray[np.uint16], other: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return what two lists of places share; a stem names each of its places once."""
    return np.intersect1d(one, other, assume_unique=True)  # else numpy loads its masked arrays (40 ms)
