"""Several sources' word on the same servers → one candidate each, with the source of every field kept.

Pure. Every field is a join of a semilattice (the value with the greater key wins, or the union), so the result does
not depend on order, grouping or repetition. The key: filled before empty, then the more authoritative source, then the
fuller value, then the value itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from vsm_mcp.model.candidate import Candidate, PackageFacts

AUTHORITY: Final = {"installed": 50, "catalogue": 40, "registry": 30, "index": 20}
"""How far a source's word goes, by name; sources that are not named here count 10."""

_OTHER: Final = 10
# Facts that change with time are best known where the package is published, whoever else wrote them down.
_FACT_AUTHORITY: Final = {**AUTHORITY, "registry": 60}
_CHOSEN: Final = ("ref", "name", "description", "text", "launch")


def merge(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return one candidate for each identity, ordered by it."""
    merged: dict[str, Candidate] = {}
    for candidate in candidates:
        identity = candidate.ref.identity
        known = merged.get(identity)
        merged[identity] = join(known, candidate) if known is not None else normal(candidate)
    return [merged[identity] for identity in sorted(merged)]


def normal(candidate: Candidate) -> Candidate:
    """Return a candidate in the form that joining leaves it in: sets as sorted tuples."""
    return msgspec.structs.replace(
        candidate,
        tags=tuple(sorted(set(candidate.tags))),
        sources=tuple(sorted(set(candidate.sources))),
        terms=_words(candidate.terms),
    )


def join(one: Candidate, other: Candidate) -> Candidate:
    """Return both candidates as one. They must have the same identity."""
    fields: dict[str, Any] = {}
    provenance: dict[str, str] = {}
    for name in _CHOSEN:
        first, second = (_claim(each, name, getattr(each, name), AUTHORITY) for each in (one, other))
        best = max(first, second, key=_key)
        fields[name] = best[2]
        _note(provenance, name, best)
    facts: dict[str, Any] = {}
    for name in PackageFacts.__struct_fields__:
        path = f"facts.{name}"
        first, second = (_claim(each, path, getattr(each.facts, name), _FACT_AUTHORITY) for each in (one, other))
        best = max(first, second, key=_key)
        facts[name] = best[2]
        _note(provenance, path, best)
    for name in ("tags", "terms"):
        sayers = [each.provenance[name] for each in (one, other) if name in each.provenance]
        if sayers:
            provenance[name] = max(sayers, key=lambda source: (AUTHORITY.get(source, _OTHER), source))
    return Candidate(
        **fields,
        tags=tuple(sorted({*one.tags, *other.tags})),
        terms=_words(f"{one.terms} {other.terms}"),
        facts=PackageFacts(**facts),
        curated=one.curated or other.curated,
        installed=one.installed or other.installed,
        variants=max(one.variants, other.variants),
        relevance=max(one.relevance, other.relevance),
        sources=tuple(sorted({*one.sources, *other.sources})),
        provenance=provenance,
    )


_Claim = tuple[int, str, Any]


def _claim(candidate: Candidate, path: str, value: Any, authority: dict[str, int]) -> _Claim:
    source = candidate.provenance.get(path, "")
    return (authority.get(source, _OTHER if source else 0), source, value)


def _key(claim: _Claim) -> tuple[bool, int, str, int, str]:
    authority, source, value = claim
    shown = str(value) if isinstance(value, (str, int, float)) else repr(value)
    return (value not in (None, "", ()), authority, source, len(shown), shown)


def _note(provenance: dict[str, str], path: str, claim: _Claim) -> None:
    if claim[1]:
        provenance[path] = claim[1]


def _words(text: str) -> str:
    return " ".join(sorted(set(text.split())))
