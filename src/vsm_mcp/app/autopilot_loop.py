"""The loop that closes gaps, gives notice, retires and replaces: it looks, has a plan made, and acts on it.

It acts through the one door (:mod:`vsm_mcp.autopilot.perform`) and the pipeline of acquisitions, as ``autopilot``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from vsm_mcp.app.carrying_out import CarryingOut, mark_of
from vsm_mcp.app.standings import Standings
from vsm_mcp.app.variety import Gaps
from vsm_mcp.autopilot.gaps import Variety
from vsm_mcp.autopilot.plan import DAY, Proposed, Situation, plan
from vsm_mcp.errors import VsmError
from vsm_mcp.events import LoopFailed
from vsm_mcp.model.need import Tenure

if TYPE_CHECKING:
    from vsm_mcp.app.application import App

_SERVER_BYTES = 200 * 1024 * 1024
"""What an installation is expected to take on disk while nothing is known: some hundred megabytes, as most do."""

_IDLE_SECONDS = 60.0  # how soon it is noticed that gaps shall be looked at again


class Autopilot:
    """One look after the other; nothing is begun while something of the last look is under way."""

    def __init__(self, app: App, gaps: Gaps, standings: Standings, carrying_out: CarryingOut) -> None:
        self._app = app
        self._gaps = gaps
        self._standings = standings
        self._carrying_out = carrying_out
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look every ``every_seconds``, give or take a tenth, until the context ends."""
        task = asyncio.get_running_loop().create_task(self._run(), name="autopilot")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def configured(self) -> None:
        """Take in that other settings count from now on."""
        self._changed.set()

    async def look(self) -> tuple[Proposed, ...]:
        """Look once, and carry out what the plan says; return the plan. Raises :class:`VsmError`."""
        found = plan(await self.situation())
        for proposed in found:
            await self._carrying_out.perform(proposed)
        return found

    async def situation(self) -> Situation:
        """Gather all that a plan goes by."""
        app = self._app
        settings, memory, now = app.config.autopilot, app.store.memory, time.time()
        await self._write_declared()
        await app.witness.write()
        variety, met_by = await self._gaps.variety()
        tenures = await self._tenures(now)
        seen_at, past = await app.store.experience.seen_at(), await memory.needs()
        return Situation(
            now=now,
            gaps=variety.needs,
            servers=self._standings.of(now, seen_at, met_by, tenures, past),
            tenures=tenures,
            waiting=await self._waiting(variety, tenures),
            spent=await memory.spent(now - DAY),
            expected=await self._expected(),
            settings=settings,
            policy=mark_of(app.config),
        )

    async def _run(self) -> None:
        while True:
            every = self._app.config.autopilot.every_seconds
            self._changed.clear()
            pause = every * random.uniform(0.9, 1.1) if every else _IDLE_SECONDS  # noqa: S311 - no secret
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
                    continue
            if not every:
                continue
            try:
                await self.look()
            except VsmError as error:
                self._app.bus.emit(LoopFailed(reason=error.message))
            except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; the next look comes all the same
                self._app.bus.emit(LoopFailed(reason=f"{type(error).__name__}: {error}"))

    async def _write_declared(self) -> None:
        """Write down declared needs that never were, so that it is known since when they are."""
        demand, declared = self._app.store.demand, self._app.config.autopilot.needs
        known = {one.need.lower() for one in await demand.since(0.0) if one.source == "declared"}
        for need in declared:
            if " ".join(need.split()).lower() not in known:
                await demand.record(need, "declared", met=False)

    async def _tenures(self, now: float) -> dict[str, Tenure]:
        """Return what is remembered of the servers, with who fails now; forget those that are gone."""
        memory, servers = self._app.store.memory, self._app.fleet.servers
        tenures, failing = await memory.servers(), self._standings.failing()
        for name in [name for name in tenures if name not in servers]:
            await memory.drop("server", name)
            del tenures[name]
        for name in servers:
            tenure = tenures.get(name, Tenure())
            since = (tenure.failing_at or now) if name in failing else 0.0
            if since != tenure.failing_at:
                replacements = tenure.replacements if since else 0
                tenures[name] = msgspec.structs.replace(tenure, failing_at=since, replacements=replacements)
                await memory.put_server(name, tenures[name])
        return tenures

    async def _waiting(self, variety: Variety, tenures: Mapping[str, Tenure]) -> frozenset[tuple[str, str]]:
        """Return what waits for a person; forget what has settled itself: a need that is met, a server that is gone."""
        memory, servers = self._app.store.memory, self._app.fleet.servers
        met, waiting = {gap.key for gap in variety.needs if gap.met}, set()
        for each in (await memory.proposals()).values():
            if each.kind == "acquire":
                settled = each.key in met
            else:
                mended = each.kind == "replace" and not tenures.get(each.key, Tenure()).failing_at
                settled = mended or each.key not in servers
            if settled:
                await memory.drop("proposal", each.id)
            else:
                waiting.add((each.kind, each.key))
        return frozenset(waiting)

    async def _expected(self) -> dict[str, float]:
        """Return what one more acquisition is expected to take: on disk as much as the last ones did."""
        config, spent = self._app.config, await self._app.store.memory.spent(0.0)
        taken, installs = spent.get("disk", 0.0), spent.get("installs", 0.0)
        research = config.discovery.research
        asks_model = bool(research.url and research.model) and "research" in config.discovery.sources
        return {
            "disk": max(1.0, taken / installs) if installs else float(_SERVER_BYTES),
            "memory": float(config.sandbox.memory_bytes),
            "tokens": float(2 * research.max_tokens) if asks_model else 0.0,
        }
