"""Something found that could meet a need."""

from __future__ import annotations

import msgspec

from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref


class PackageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry says about a package; ``None`` where it is silent.

    ``published`` is ISO 8601 (a day or a month where no more is known); ``downloads`` are per month;
    ``download_rank`` is the place among the most downloaded of its registry, 0 when it is known to be below them all;
    ``dependencies`` counts direct ones; ``stars`` are those of its repository. ``systems`` are the operating systems it
    is made for, by the names of ``sys.platform`` with a blank between; ``!win32`` is any but that one. ``transport``
    (``stdio``, ``streamable-http``, ``sse``, …) and ``era`` (``modern``, ``legacy``) are what it speaks.
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
    recommended: int | None = None
    systems: str | None = None
    transport: str | None = None
    era: str | None = None
    stars: int | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One server that could meet a need, merged from the sources that know it.

    ``provenance`` maps a field's name to the source it came from. ``terms`` is text for matching only (keywords,
    tool names); ``variants`` counts republications of it under other names; ``text`` is the registry's own
    description once it was fetched: untrusted, never shown unescaped. ``tags`` are a source's own words;
    ``capabilities`` are the tags of the taxonomy that fit, each with how sure it is, 0…1; ``answers`` are those that
    the need calls for. ``tools`` are those it is said to offer, name and description of each; ``nearest`` is the one
    that comes nearest to the need and how near, 0…1, as far as they were looked at. ``registry_name`` is the server's
    name in a registry of servers (``io.github.owner/server``). ``others`` are the same server under other
    references, each with its own facts: what one package is known for is not said of another that only claims to be
    the same.
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
    registry_name: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    nearest: tuple[str, float] | None = None
    others: tuple[Candidate, ...] = ()
    capabilities: dict[str, float] = {}
    answers: tuple[str, ...] = ()

    @property
    def known_tools(self) -> tuple[tuple[str, str], ...]:
        """The tools it is said to offer, or where nobody says so, those of the same server under another reference."""
        return next((each.tools for each in (self, *self.others) if each.tools), ())

    @property
    def all_sources(self) -> tuple[str, ...]:
        """Everybody who knows this server, under whichever reference."""
        return tuple(sorted({source for each in (self, *self.others) for source in each.sources}))
