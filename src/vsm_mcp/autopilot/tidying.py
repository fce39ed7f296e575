"""What an admission leaves once it has reached the catalogue: secrets nobody can go back to, and what was staged.

The files of versions that nobody needs are the collection's (:mod:`vsm_mcp.install.collection`).
"""

from __future__ import annotations

from vsm_mcp.errors import UnknownServer
from vsm_mcp.install.transaction import Installations
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Plan


async def tidied(store: Store, installations: Installations, plan: Plan) -> None:
    """Remove that, after what was planned. Idempotent; needs only the plan."""
    try:
        server = await store.servers.get(plan.server)
    except UnknownServer:
        return
    previous = await store.previous.of(plan.server)
    kept = {server.acquisition, *([previous.acquisition] if previous is not None else [])}
    for acquisition in plan.superseded:
        if acquisition and acquisition not in kept:
            store.secrets.remove(acquisition)
    await installations.unstage(plan.server, plan.version)
