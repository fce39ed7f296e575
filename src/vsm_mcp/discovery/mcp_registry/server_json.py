"""A server as a registry lists it → candidates. Pure.

Sources: the registry's OpenAPI documents and the changelogs of its API and of ``server.json``. What has changed:

- until August 2025 an entry was the server itself, with ``version_detail``, ``created_at`` and ``updated_at``; packages
  had ``registry_name`` and ``name``, remotes ``transport_type``;
- then it was wrapped (``server``), with ``x-io.modelcontextprotocol.registry`` beside it;
- from 2025-07-09 packages have ``registry_type`` and ``identifier``, remotes ``type``; the registry's own facts move
  to ``_meta``, first inside the server, from 2025-09-29 beside it, and ``status`` with them;
- from 2025-09-16 names are written ``registryType`` instead of ``registry_type``;
- from 2025-10-11 an image has its version in the identifier; from 2025-12-11 addresses hold variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.discovery.loose import first, rows, table, text
from vsm_mcp.discovery.mcp_registry.inputs import fill, launch_of
from vsm_mcp.errors import VsmError
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

_OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
_BEFORE: Final = "x-io.modelcontextprotocol.registry"
_KINDS: Final = {"npm": "npm:", "pypi": "pypi:", "oci": "oci:", "docker": "oci:", "docker-hub": "oci:", "mcpb": "mcpb:"}
_MOST: Final = 8


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a server. ``changed`` is ISO 8601; no ``candidates`` where nothing here could reach it."""

    name: str
    status: str
    latest: bool
    changed: str
    candidates: tuple[Candidate, ...]


def listed(item: Any, bases: frozenset[str] | None = None) -> Listed | None:
    """Read one entry; ``None`` for what is none.

    ``bases`` are the hosts of package registries that this machine is set up for: packages that the entry says to be
    elsewhere are left out, because here the same name would be another package. ``None`` takes them all for public.
    """
    entry = table(item)
    server = table(entry.get("server")) or entry
    name = text(server.get("name"))
    if not name:
        return None
    facts = _registry_facts(entry, server)
    detail = table(server.get("version_detail"))
    status = text(facts.get("status")) or text(server.get("status")) or "active"
    latest = first(facts, "isLatest", "is_latest")
    latest = detail.get("is_latest") if latest is None else latest
    return Listed(
        name=name,
        status=status,
        latest=latest is not False,
        changed=_changed(server, facts, detail),
        candidates=() if status == "deleted" else tuple(_candidates(server, status, facts, bases)),
    )


def _registry_facts(entry: Mapping[str, Any], server: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the registry itself says of an entry, wherever it was written at the time."""
    for place in (entry, server):
        for found in (table(place.get("_meta")).get(_OFFICIAL), place.get(_BEFORE)):
            if table(found):
                return table(found)
    return {}


def _changed(server: Mapping[str, Any], facts: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    for place, names in (
        (facts, ("updatedAt", "updated_at", "publishedAt", "published_at", "release_date")),
        (server, ("updated_at", "created_at")),
        (detail, ("release_date",)),
    ):
        if found := text(first(place, *names)):
            return found
    return ""


def _candidates(
    server: Mapping[str, Any], status: str, facts: Mapping[str, Any], bases: frozenset[str] | None
) -> Iterator[Candidate]:
    version = text(server.get("version")) or text(table(server.get("version_detail")).get("version"))
    repository = text(table(server.get("repository")).get("url"))
    known = PackageFacts(
        version=version,
        repository=repository or None,
        homepage=text(first(server, "websiteUrl", "website_url")) or None,
        published=text(first(facts, "publishedAt", "published_at")) or None,
        deprecated=status == "deprecated" or None,
    )
    name = text(server.get("name"))
    title = text(server.get("title")) or name.rsplit("/", 1)[-1]
    plain = Candidate(
        ref=Ref(RefKind.CMD, ""),
        name=title,
        description=text(server.get("description")),
        terms=name.replace("/", " "),
        facts=known,
        registry_name=name,
    )
    found = [*_packages(server, bases), *_remotes(server)] or _repository(repository)
    for ref, launch, own in found[:_MOST]:
        kept = msgspec.structs.replace(known, version=own) if own else known
        yield msgspec.structs.replace(plain, ref=ref, launch=launch, facts=kept)


_Found = tuple[Ref, LaunchFacts | None, str]


def _packages(server: Mapping[str, Any], bases: frozenset[str] | None) -> Iterator[_Found]:
    for package in map(table, rows(server.get("packages"))):
        ref = _package_ref(package)
        base = text(first(package, "registryBaseUrl", "registry_base_url"))
        foreign = bases is not None and base and urlsplit(base).hostname not in bases
        if ref is None or (foreign and ref.kind in {RefKind.NPM, RefKind.PYPI}):
            continue
        yield ref, launch_of(package), text(package.get("version"))


def _package_ref(package: Mapping[str, Any]) -> Ref | None:
    prefix = _KINDS.get(text(first(package, "registryType", "registry_type", "registry_name")))
    name = text(first(package, "identifier", "name"))
    if prefix is None or not name:
        return None
    version = text(package.get("version"))
    if prefix == "oci:" and version and ":" not in name.rsplit("/", 1)[-1] and "@" not in name:
        name = f"{name}:{version}"
    digest = text(first(package, "fileSha256", "file_sha256")).lower()
    if prefix == "mcpb:" and re.fullmatch(r"[0-9a-f]{64}", digest):
        name = f"{name}#sha256={digest}"
    return _ref(prefix + name)


def _remotes(server: Mapping[str, Any]) -> Iterator[_Found]:
    for remote in map(table, rows(server.get("remotes"))):
        url = fill(text(remote.get("url")), table(remote.get("variables")))
        ref = _ref(url) if url.startswith(("https://", "http://")) and "{" not in url else None
        if ref is not None:
            yield ref, launch_of({"environmentVariables": remote.get("headers")}), ""


def _repository(url: str) -> list[_Found]:
    """The source itself, for a server that is listed without anything to install: the oldest lists had no more."""
    ref = _ref(f"git+{url.removeprefix('git+')}") if url.startswith(("https://", "git+https://")) else None
    return [] if ref is None else [(ref, None, "")]


def _ref(written: str) -> Ref | None:
    try:
        return parse_ref(written)
    except VsmError:
        return None
