"""By what two candidates are the same server. Pure.

The same reference (package URL without version), the same name in a registry of servers, or the same repository
together with the same name: one repository may hold many servers. That is a claim of whoever published it, so it
groups candidates and never mixes their facts (``merge``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from vsm_mcp.matching.tokens import name_stems
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.ref import RefKind

_SSH: Final = re.compile(r"(?:ssh://)?git@(?P<host>[^/:]+)[:/](?P<path>.+)\Z")
_SHORT: Final = {"github:": "https://github.com/", "gitlab:": "https://gitlab.com/"}
_FOLDER: Final = re.compile(r"(?:/-)?/(?:tree|blob|src)/[^/]+(?P<folder>/.+)?\Z")


def repository_key(url: str) -> str:
    """Return one form of a repository's address, ``host/owner/name`` in lower case; ``""`` for what is none.

    Any folder below it is left out; ``git+``, ``.git``, ``git@host:`` and ``github:`` mean the same as ``https://``.
    """
    text = url.strip().removeprefix("git+")
    for short, whole in _SHORT.items():
        text = whole + text.removeprefix(short) if text.startswith(short) else text
    over_ssh = _SSH.match(text)
    if over_ssh is not None:
        text = f"https://{over_ssh['host']}/{over_ssh['path']}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    path = _FOLDER.sub("", parts.path.rstrip("/")).removesuffix(".git")
    pieces = [piece for piece in path.split("/") if piece]
    host = (parts.hostname or "").removeprefix("www.")
    if parts.scheme not in {"https", "http", "git", "ssh"} or not host or len(pieces) < 2:
        return ""
    return "/".join([host, *pieces]).lower()


def keys(candidate: Candidate) -> Iterator[str]:
    """Yield everything that identifies a candidate; whoever shares one of them is the same server."""
    ref = candidate.ref
    yield f"ref {ref.identity}"
    if candidate.registry_name:
        yield f"name {candidate.registry_name.lower()}"
    repository = repository_key(ref.name if ref.kind is RefKind.GIT else candidate.facts.repository or "")
    name = _plain_name(candidate, repository)
    if repository and name:
        yield f"repository {repository} {name}"


def groups(candidates: Sequence[Candidate]) -> Iterable[list[Candidate]]:
    """Return the candidates, those that are the same server together (union-find over their keys)."""
    root = list(range(len(candidates)))
    first: dict[str, int] = {}
    for place, candidate in enumerate(candidates):
        for key in keys(candidate):
            root[_find(root, place)] = _find(root, first.setdefault(key, place))
    found: dict[int, list[Candidate]] = {}
    for place, candidate in enumerate(candidates):
        found.setdefault(_find(root, place), []).append(candidate)
    return found.values()


def _find(root: list[int], place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


def _plain_name(candidate: Candidate, repository: str) -> str:
    """The telling words of a name, sorted: ``@owner/airtable-mcp-server`` and ``mcp-airtable`` are both ``airtabl``."""
    ref = candidate.ref
    folder = ref.name.partition("#subdirectory=")[2]
    name = folder or (repository if ref.kind is RefKind.GIT else ref.name)
    last = re.sub(r"[:@].*", "", name.rstrip("/").rsplit("/", 1)[-1])
    return " ".join(sorted(set(name_stems(last)))) or re.sub(r"[-_.]+", "-", last).lower()
