"""Several sources' word on the same servers → one candidate each, with the source of every field kept.

Pure. What is said of one reference is joined field by field; every field is a join of a semilattice (the value with
the greater key wins, or the union). The key: filled before empty, then the more authoritative source, then the fuller
value, then the value itself. References that mean the same server (``identity``) are then put together: the one best
known for it first, the ``others`` whole beside it. So the result does not depend on order, grouping or repetition.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from vsm_mcp.discovery.identity import groups
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import RefKind

AUTHORITY: Final = {
    "installed": 50,
    "catalogue": 40,
    "mcp-registry": 35,
    "registry": 30,
    "npm": 28,
    "pypi": 28,
    "index": 20,
    "github": 15,
}
"""How far a source's word goes, by name; sources that are not named here count 10."""

_OTHER: Final = 10
# Facts that change with time are best known where the package is published, whoever else wrote them down.
_FACT_AUTHORITY: Final = {**AUTHORITY, "registry": 60, "npm": 58, "pypi": 58}
_CHOSEN: Final = ("ref", "name", "description", "text", "tools", "launch", "registry_name")
# What can be admitted comes before what cannot yet; a package before an address, which is somebody else's machine.
_KINDS: Final = {RefKind.NPM: 3, RefKind.PYPI: 3, RefKind.REMOTE: 2}


def merge(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return one candidate for each server, ordered by identity."""
    joined: dict[str, Candidate] = {}
    for each in candidates:
        for candidate in (msgspec.structs.replace(each, others=()), *each.others):
            identity = candidate.ref.identity
            known = joined.get(identity)
            joined[identity] = join(known, candidate) if known is not None else normal(candidate)
    return sorted(map(_together, groups(list(joined.values()))), key=lambda each: each.ref.identity)


def _together(members: list[Candidate]) -> Candidate:
    first, *others = sorted(members, key=_standing)
    return msgspec.structs.replace(first, others=tuple(others)) if others else first


def _standing(candidate: Candidate) -> tuple[Any, ...]:
    """Sorts the best known reference of a server first: a total order, because identities differ."""
    facts = candidate.facts
    authority = max((AUTHORITY.get(source, _OTHER) for source in candidate.sources), default=0)
    return (
        not candidate.installed,
        not candidate.curated,
        facts.deprecated is True,
        -_KINDS.get(candidate.ref.kind, 1),
        -(facts.downloads or 0),
        facts.download_rank or 10**9,
        -authority,
        candidate.ref.identity,
    )


def normal(candidate: Candidate) -> Candidate:
    """Return a candidate in the form that joining leaves it in: sets as sorted tuples."""
    return msgspec.structs.replace(
        candidate,
        tags=tuple(sorted(set(candidate.tags))),
        sources=tuple(sorted(set(candidate.sources))),
        terms=_words(candidate.terms),
    )


def join(one: Candidate, other: Candidate) -> Candidate:
    """Return both candidates as one, without ``others``. They must have the same identity."""
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
