"""Something found that could meet a need."""

from __future__ import annotations

import msgspec

from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref


class PackageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry says about a package; ``None`` where it is silent.

    ``published`` is ISO 8601 (a day or a month where no more is known); ``downloads`` are per month;
    ``download_rank`` is the place among the most downloaded of its registry, 0 when it is known to be below them all;
    ``dependencies`` counts direct ones.
    """

    version: str = ""
    licence: str | None = None
    published: str | None = None
    downloads: int | None = None
    download_rank: int | None = None
    homepage: str | None = None
    repository: str | None = None
    requires_python: str | None = None
    requires_node: str | None = None
    dependencies: int | None = None
    maintainers: int | None = None
    deprecated: bool | None = None
    readme_length: int | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One server that could meet a need, merged from the sources that know it.

    ``provenance`` maps a field's name to the source it came from. ``terms`` is text for matching only (keywords,
    tool names); ``variants`` counts republications of it under other names; ``text`` is the registry's own
    description once it was fetched: untrusted, never shown unescaped. ``tags`` are a source's own words;
    ``capabilities`` are the tags of the taxonomy that fit, each with how sure it is, 0…1.
    """

    ref: Ref
    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    terms: str = ""
    text: str = ""
    launch: LaunchFacts | None = None
    facts: PackageFacts = PackageFacts()
    curated: bool = False
    installed: bool = False
    variants: int = 0
    relevance: float = 0.0
    sources: tuple[str, ...] = ()
    provenance: dict[str, str] = {}
    capabilities: dict[str, float] = {}
