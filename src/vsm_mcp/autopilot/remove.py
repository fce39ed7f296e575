"""Taking a server out."""

from __future__ import annotations

import contextlib
from pathlib import Path

from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store


async def remove(store: Store, installations: Installations, log: Path, server: Server) -> None:
    """Forget a stopped server: its row first, so that a crash leaves files without a server, never the reverse."""
    previous = await store.previous.of(server.name)
    await store.servers.remove(server.name)
    for version in (server, previous):
        if version is not None:
            store.secrets.remove(version.acquisition)
    await installations.discard_server(server.name)
    for file in (log, *log.parent.glob(f"{log.name}.*")):
        with contextlib.suppress(OSError):
            file.unlink()
