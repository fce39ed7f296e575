"""Remote servers: an address, with nothing to fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vsm_mcp.install.installer import Bench, Built, Fetched, Options, Resolved
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.runtime.transports import transports_to
from vsm_mcp.wire.transport import Target


class RemoteInstaller:
    """Takes a URL into the catalogue; whether something answers there shows at the trial."""

    kind: Final = RefKind.REMOTE

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """Return the address as it is; a remote server has no version of ours.

        Raises :class:`BadReference` for a scheme that nothing here speaks.
        """
        transports_to(Target(url=ref.name))
        return Resolved(ref=ref, version=ref.version or "remote", constraints=options.constraints)

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Fetch nothing."""
        return Fetched(manifest={"name": resolved.ref.name})

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Return an entry without a program."""
        return Built(entry=Entry(argv=(), runtime="remote"))
