"""What a repository says of itself → candidates: its entry in a search, its ``server.json``, its README. Pure.

Source: GitHub REST API, "Search repositories". A README tells people how to start a server; the package in that line
is taken only where its name and the repository's have a word in common: many name the tools of others, too.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from vsm_mcp.discovery.github.lists import Entry
from vsm_mcp.discovery.github.place import Place, place_of
from vsm_mcp.discovery.loose import number, rows, table, text
from vsm_mcp.discovery.mcp_registry.server_json import listed
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.errors import VsmError
from vsm_mcp.matching.tokens import name_stems
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

_NPX: Final = re.compile(r"\bnpx\b[\s\"',:\[\]a-z]{0,60}?(?:-y|--yes)[\"',\s]{1,10}(@?[a-z0-9~][a-z0-9._~/-]{0,213})")
_UVX: Final = re.compile(
    r"\b(?:uvx|pipx run)\b[\s\"',:\[\]]{1,20}(?:args[\"\s:\[]{1,20})?([A-Za-z0-9][A-Za-z0-9._-]{1,100})"
)
_MOST_TEXT: Final = 60_000


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository, as far as it is known: from a search (``facts``) or from a list (``categories``)."""

    place: Place
    description: str
    terms: str = ""
    facts: PackageFacts = PackageFacts()


def found(item: Any, site: str) -> Repository | None:
    """Read one repository of a search's answer; ``None`` for a fork, and for what does not call itself a server."""
    given = table(item)
    place = place_of(text(given.get("html_url")), site)
    topics = " ".join(map(text, rows(given.get("topics"))[:20]))
    description = text(given.get("description"))
    if place is None or given.get("fork") is True or not calls_itself_server(place.name, f"{description} {topics}"):
        return None
    licence = text(table(given.get("license")).get("spdx_id"))
    facts = PackageFacts(
        licence=licence if licence not in {"", "NOASSERTION"} else None,
        published=text(given.get("pushed_at")) or None,
        homepage=text(given.get("homepage")) or None,
        repository=place.repository,
        stars=number(given.get("stargazers_count")),
        deprecated=True if given.get("archived") is True else None,
    )
    return Repository(place=place, description=description, terms=topics, facts=facts)


def on_list(entry: Entry) -> Repository:
    """Return what a list says of one of its entries."""
    facts = PackageFacts(repository=entry.place.repository)
    terms = f"{entry.title} {' '.join(entry.categories)}"
    return Repository(place=entry.place, description=entry.words, terms=terms, facts=facts)


def candidates(repository: Repository, server_json: Any = None, readme: str = "") -> list[Candidate]:
    """Return the repository itself as a candidate, after the packages that it says it publishes.

    How to start a package is not taken from it: a repository may name the package of somebody else.
    """
    declared = listed(server_json)
    refs = [each.ref for each in declared.candidates if each.ref.kind is not RefKind.GIT] if declared else []
    refs = refs or _started(readme[:_MOST_TEXT], repository.place)
    release = msgspec.structs.replace(repository.facts, published=None)  # a push is no release
    packages = [_candidate(repository, ref, release) for ref in dict.fromkeys(refs)]
    source = repository.place.ref
    return [*packages, *([_candidate(repository, source, repository.facts)] if source is not None else [])]


def _candidate(repository: Repository, ref: Ref, facts: PackageFacts) -> Candidate:
    described, terms = repository.description, f"{repository.terms} {repository.place.title}"
    return Candidate(ref=ref, name=repository.place.title, description=described, terms=terms, facts=facts)


def _started(readme: str, place: Place) -> list[Ref]:
    """Return the packages that a README starts a server with, and that can be this repository's."""
    named = [*(f"npm:{name}" for name in _NPX.findall(readme)), *(f"pypi:{name}" for name in _UVX.findall(readme))]
    refs = [ref for written in dict.fromkeys(named) if (ref := _ref(written)) is not None and _fits(ref, place)]
    first: dict[RefKind, Ref] = {}
    for ref in refs:
        first.setdefault(ref.kind, ref)
    return list(first.values())


def _fits(ref: Ref, place: Place) -> bool:
    scope, _, name = ref.name.rpartition("/")
    own = scope.removeprefix("@").lower() == place.owner.lower()
    return own or bool(set(name_stems(name)) & set(name_stems(place.title))) or name.lower() == place.title.lower()


def _ref(written: str) -> Ref | None:
    try:
        return parse_ref(written.rstrip("./"))
    except VsmError:
        return None
