"""What running servers show of themselves, remembered for the next start."""

from __future__ import annotations

import asyncio
import contextlib

from vsm_mcp.app.bus import Bus
from vsm_mcp.app.experience import Witness
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.repute import Repute
from vsm_mcp.errors import VsmError
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.model.definition import Offer
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.store import Store


class Learning:
    """Hears what servers offer and how they behave; writes it down in the background."""

    def __init__(self, store: Store, fleet: Fleet, tasks: asyncio.TaskGroup) -> None:
        self._store = store
        self._fleet = fleet
        self._tasks = tasks

    def observed(self, name: str, offer: Offer) -> None:
        """Take in what a server offers now."""
        if self._fleet.observe(name, offer):
            self._tasks.create_task(self._remember(name, offer))

    def found_stateful(self, name: str) -> None:
        """Take in that a server needs a process for each session."""
        self._tasks.create_task(self._remember_stateful(name))

    async def _remember(self, name: str, offer: Offer) -> None:
        with contextlib.suppress(VsmError):  # a full disk must not stop what is served: it is remembered next time
            await self._store.servers.put_offer(name, offer)

    async def _remember_stateful(self, name: str) -> None:
        with contextlib.suppress(VsmError):  # as above
            await self._store.servers.mark_stateful(name)
            await self._fleet.refresh(name)


async def learn(store: Store, parts: tuple[Fleet, Runtime, Gateway], bus: Bus, tasks: asyncio.TaskGroup) -> Witness:
    """Have what servers show of themselves written down, and what becomes of them: by the witness, who is returned.

    What was seen of tools has a word in how the gateway ranks them.
    """
    fleet, runtime, gateway = parts
    learning = Learning(store, fleet, tasks)
    runtime.on_offer, runtime.on_stateful = learning.observed, learning.found_stateful
    runtime.on_compared = fleet.compare
    ledger = gateway.router.ledger
    witness = Witness(store.experience, fleet, runtime.tally, tasks, ledger)
    repute = Repute(store.tool_experience, fleet, ledger)
    await repute.load()
    gateway.favour = repute.factor
    witness.also.append(repute)
    bus.subscribe(witness)
    return witness
