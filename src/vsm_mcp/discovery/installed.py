"""What is already installed, as a source: a need that a server at hand meets needs no acquisition."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vsm_mcp.discovery.source import Context, SourceState
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.server import Server


class InstalledSource:
    """The servers in the catalogue of this home, with the words of the tools they offer."""

    name = "installed"
    state = SourceState.OK

    def __init__(self, servers: Callable[[], Iterable[Server]], offer_of: Callable[[str], Offer | None]) -> None:
        self._servers = servers
        self._offer_of = offer_of

    async def search(self, need: str, limit: int) -> list[Candidate]:  # the engine compares
        """Return all servers that are not quarantined; there are few, and the engine compares them with the need."""
        return [self._candidate(server) for server in self._servers() if not server.quarantined][:limit]

    def _candidate(self, server: Server) -> Candidate:
        offer = self._offer_of(server.name)
        items = offer.items if offer else ()
        return Candidate(
            ref=server.ref,
            name=server.name,
            description=server.description,
            tags=server.tags,
            terms=" ".join(item.name for item in items if item.kind is ItemKind.TOOL),
            text=" ".join(item.description for item in items),
            tools=tuple((item.name, item.description) for item in items if item.kind is ItemKind.TOOL),
            facts=PackageFacts(version=server.version, transport=server.transport or None, era=server.era or None),
            installed=True,
        )


def build(context: Context) -> InstalledSource:
    """Build the source (entry point ``vsm_mcp.sources: installed``)."""
    return InstalledSource(context.servers, context.offer_of)
