"""Search over the columns of an index file: by words, by meaning, by use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property, reduce
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.discovery.index_file import KINDS, IndexFile
from vsm_mcp.errors import VsmError
from vsm_mcp.matching.conversion import Turn, kept, turns
from vsm_mcp.matching.fuzzy import Beginnings
from vsm_mcp.matching.meaning import Floats, Table, best, spread
from vsm_mcp.matching.popularity import of_downloads, of_rank
from vsm_mcp.matching.rarity import idf
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

WORDS, MEANING = 0.3, 0.7
"""How much words and meaning count."""
POPULARITY: Final = 0.3
"""How much use counts beside the words, where the best match of the words counts 1."""
_POOL: Final = 400
_NUMBERS: Final = {kind.value: number for number, kind in enumerate(KINDS)}


class PackageIndex:
    """Search over an index file; also the vocabulary whose word statistics weigh the words of a need."""

    def __init__(self, file: IndexFile, table: Table | None = None) -> None:
        self._file = file
        self._table = table

    @property
    def documents(self) -> int:
        """Number of packages."""
        return len(self._file.names)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {term: number for number, term in enumerate(self._file.stems)}

    @cached_property
    def _places(self) -> dict[tuple[int, str], int]:
        return dict(zip(zip(self._file.kinds, self._file.names, strict=True), count()))

    def holding(self, term: str) -> int:
        """Return how many packages hold the stem."""
        number = self._numbers.get(term)
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
        mixed = [(place, float(scores[place]) + POPULARITY * self.popularity(place)) for place in pool]
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
            held[reduce(np.intersect1d, places)] += len(places)
        order = np.argsort(-held.astype(np.int16), kind="stable")[:limit]
        return [int(place) for place in order if held[place] > 1]

    def _holders(self, term: str) -> NDArray[np.uint16]:
        number = self._numbers.get(term)
        places = self._postings[0]
        return places[:0] if number is None else places[self._file.starts[number] : self._file.starts[number + 1]]

    def _words(self, query: Mapping[str, float]) -> Floats:
        scores = np.zeros(self.documents, np.float32)
        starts, (places, impacts) = self._file.starts, self._postings
        for term, weight in query.items():
            number = self._numbers.get(term)
            if number is not None:
                own = slice(starts[number], starts[number + 1])
                factor = np.float32(weight * idf(self.documents, own.stop - own.start))
                scores[places[own]] += impacts[own] * factor
        return scores

    @cached_property
    def _postings(self) -> tuple[NDArray[np.uint16], Floats]:
        impacts = np.frombuffer(self._file.impacts, np.uint8).astype(np.float32)
        return np.frombuffer(self._file.places, np.uint16), impacts

    def vector_of(self, identity: str) -> Floats | None:
        """Return the vector of the package of this identity (:attr:`Ref.identity`), where there is one."""
        kind, _, name = identity.partition(":")
        place = self._places.get((_NUMBERS[kind], name)) if kind in _NUMBERS else None
        return None if place is None or self._table is None else self._table.row(place)

    def find(self, ref: Ref) -> int | None:
        """Return the place of a reference's package, or ``None``."""
        if ref.kind not in KINDS:
            return None
        name = ref.identity.removeprefix("pypi:") if ref.kind is RefKind.PYPI else ref.name
        return self._places.get((KINDS.index(ref.kind), name))

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
