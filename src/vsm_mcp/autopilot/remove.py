"""Taking a server out, and letting a held-back one in."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store
from vsm_mcp.vetting.pins import pins_of


async def remove(store: Store, installations: Installations, log: Path, server: Server) -> None:
    """Forget a stopped server: its row first, so that a crash leaves files without a server, never the reverse."""
    await store.servers.remove(server.name)
    store.secrets.remove(server.acquisition)
    await installations.discard_server(server.name)
    for file in (log, *log.parent.glob(f"{log.name}.*")):
        with contextlib.suppress(OSError):
            file.unlink()


async def approve(store: Store, server: Server, offer: Offer | None) -> None:
    """Let a server into service with what it offers now: the new pins are what was seen last."""
    pins = pins_of(offer) if offer is not None else None
    await store.servers.put(msgspec.structs.replace(server, quarantined=False), pins=pins)
