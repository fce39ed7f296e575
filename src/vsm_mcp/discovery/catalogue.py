"""The built-in catalogue: well-known servers, in our own words, as TOML files that ship with the package."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vsm_mcp.discovery.compiled import CATALOGUE, catalogue_rows, catalogue_stems
from vsm_mcp.discovery.source import Context, SourceState
from vsm_mcp.errors import ConfigError, VsmError
from vsm_mcp.matching.need import Need
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.tokens import joined, name_stems, stems
from vsm_mcp.matching.wording import described
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Input, LaunchFacts
from vsm_mcp.model.ref import Ref, parse_ref

if TYPE_CHECKING:
    from vsm_mcp.matching.bm25 import Bm25f
    from vsm_mcp.matching.meaning import Floats

FIELDS: Final = {"name": (2.0, 0.3), "description": (1.0, 0.4), "terms": (0.7, 0.6)}
"""How each field counts (:class:`vsm_mcp.matching.bm25.Field`)."""

_NEAR: Final = 0.3


def known(ref: Ref) -> Candidate | None:
    """Return what the catalogue says about a reference. Raises :class:`ConfigError`."""
    return next((entry for entry in entries() if entry.ref.identity == ref.identity), None)


def entries(folder: Traversable | None = None) -> list[Candidate]:
    """Return all entries of the catalogue, by default of the one that ships with the package, which is compiled.

    Raises :class:`ConfigError`, naming the file, when one cannot be read.
    """
    rows = ((CATALOGUE, row) for row in catalogue_rows()) if folder is None else rows_of(folder)
    return [_entry(file, row) for file, row in rows]


def rows_of(folder: Traversable) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of the TOML files in a folder, each with its file's name. Raises :class:`ConfigError`."""
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            rows = tomllib.loads(file.read_text("utf-8")).get("server", [])
        except (OSError, ValueError) as error:
            raise _unreadable(file.name, error) from error
        yield from ((file.name, row) for row in rows)


def _unreadable(file: str, error: Exception) -> ConfigError:
    return ConfigError(f"the catalogue file {file} cannot be read: {error}", "reinstall vsm-mcp")


def _entry(file: str, row: Mapping[str, Any]) -> Candidate:
    try:
        return _candidate(row)
    except (ValueError, KeyError, TypeError, VsmError) as error:
        raise _unreadable(file, error) from error


def _candidate(row: Mapping[str, Any]) -> Candidate:
    launch = LaunchFacts(
        args=tuple(row.get("args", ())),
        env=dict(row.get("env", {})),
        inputs=msgspec.convert(row.get("inputs", []), tuple[Input, ...]),
        network=row.get("network"),
        executable=row.get("executable", ""),
    )
    return Candidate(
        ref=parse_ref(row["ref"]),
        name=row["name"],
        description=row["description"],
        tags=tuple(row["tags"]),
        terms=_text(row.get("terms", ())),
        launch=launch,
        curated=True,
    )


def stems_of(entry: Candidate) -> dict[str, list[str]]:
    """Return the stems of an entry by field; those of the entries that ship are compiled."""
    described = stems(entry.description)
    return {
        "name": name_stems(f"{entry.name} {entry.ref.name}"),
        "description": [*described, *joined(described)],
        "terms": stems(entry.terms),
    }


def _text(terms: str | Iterable[str]) -> str:
    return terms if isinstance(terms, str) else " ".join(terms)


class CatalogueSource:
    """The built-in catalogue as a source; read at the first search."""

    name = "catalogue"
    state = SourceState.OK

    def __init__(self, matcher: Matcher, folder: Traversable | None = None) -> None:
        self._matcher = matcher
        self._folder = folder
        self._vectors: Floats | None = None

    @cached_property
    def entries(self) -> dict[str, Candidate]:
        """All entries by identity."""
        return {entry.ref.identity: entry for entry in entries(self._folder)}

    @cached_property
    def _index(self) -> Bm25f[str]:
        from vsm_mcp.matching.bm25 import Bm25f, Field  # noqa: PLC0415 - numpy, at the first search

        fields = {name: Field(*numbers) for name, numbers in FIELDS.items()}
        cut = catalogue_stems() if self._folder is None else {}
        rows = ((identity, cut.get(identity) or stems_of(entry)) for identity, entry in self.entries.items())
        return Bm25f(fields, rows)

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return the entries that share words or capability tags with the need."""
        return await asyncio.to_thread(self._search, need, limit)

    def _search(self, need: str, limit: int) -> list[Candidate]:
        read = self._matcher.need(need)
        # Near spellings are in the query already; looking for more here would only find strangers.
        query = {term: weight for term, weight in read.query.items() if term in self._index}
        best = [identity for identity, _ in self._index.search(query, limit)]
        called = {tag.name for tag in read.tags}
        tagged = [identity for identity, entry in self.entries.items() if called.intersection(entry.tags)]
        share = limit // 3
        order = dict.fromkeys([*best[:share], *self._meant(read, share), *tagged, *best])
        return [self.entries[identity] for identity in order][:limit]

    def _meant(self, need: Need, limit: int) -> list[str]:
        """Return the entries whose descriptions mean what the need does, nearest first."""
        vector, meaning = need.vector, self._matcher.meaning
        if vector is None or meaning is None:
            return []
        if self._vectors is None:
            self._vectors = meaning.embed([described(each.name, each.description) for each in self.entries.values()])
        near = sorted(zip(self._vectors @ vector, self.entries, strict=True), reverse=True)[:limit]
        return [identity for cosine, identity in near if cosine >= _NEAR]

    async def about(self, refs: Sequence[Ref]) -> list[Candidate]:
        """Return the entries of the given references."""
        return [self.entries[ref.identity] for ref in refs if ref.identity in self.entries]


def build(context: Context) -> CatalogueSource:
    """Build the source (entry point ``vsm_mcp.sources: catalogue``)."""
    return CatalogueSource(context.matcher)
