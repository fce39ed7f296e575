"""Taking an admission back: every undo is idempotent and needs only the plan, so that it works after ``kill -9``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from vsm_mcp.autopilot.tidying import tidied
from vsm_mcp.errors import UnknownServer, VsmError
from vsm_mcp.events import Emit, Recovered, StepUndone, UndoFailed
from vsm_mcp.install.transaction import Installations
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Plan, Saga

Step = tuple[str, Callable[[], Awaitable[None]]]


class Undo:
    """Undoes admissions of one home, those under way and those that a dead process left behind."""

    def __init__(self, store: Store, installations: Installations, emit: Emit) -> None:
        self._store = store
        self._installations = installations
        self._emit = emit

    async def undo(self, saga_id: str, plan: Plan) -> bool:
        """Take back everything an admission may have done, in reverse; return whether all of it is gone.

        What cannot be taken back is published as :class:`UndoFailed`, stays in the table as ``stuck`` and is tried
        again at the next start.
        """
        clean = True
        for step, act in self._back(plan) if plan.back_to else self._out(saga_id, plan):
            try:
                await act()
                self._emit(StepUndone(acquisition=saga_id, step=step))
            except (VsmError, OSError) as error:
                clean = False
                self._emit(UndoFailed(acquisition=saga_id, step=step, message=str(error)))
        await self._store.sagas.end(saga_id, "undone" if clean else "stuck")
        return clean

    async def recover(self) -> None:
        """Finish or undo what a dead process left: an admission that reached the catalogue is done, others are not."""
        for saga in await self._store.sagas.unfinished():
            if await self._committed(saga):
                await tidied(self._store, self._installations, saga.plan)
                await self._store.sagas.end(saga.id, "done")
                result = "finished"
            else:
                result = "undone" if await self.undo(saga.id, saga.plan) else "not undone"
            await self._store.evidence.add(saga.id, "recovered", {"result": result, "step": saga.step})
            self._emit(Recovered(acquisition=saga.id, result=result))
        known = {server.name for server in await self._store.servers.all()}
        for saga in await self._store.sagas.waiting():
            if saga.plan.server not in known:  # its server was removed
                await self.undo(saga.id, saga.plan)
        for name in self._installations.servers():
            if name not in known:  # a removal that was cut off after the row was gone
                await self._installations.discard_server(name)
        await self._orphans()
        await self._installations.sweep()

    async def _orphans(self) -> None:
        """Forget the secrets of acquisitions that nobody can go back to: a removal was cut off."""
        store = self._store
        kept = {server.acquisition for server in await store.servers.all()}
        kept |= {server.acquisition for server in (await store.previous.all()).values()}
        kept |= {saga.id for saga in (*await store.sagas.waiting(), *await store.sagas.unfinished())}
        orphans = store.secrets.acquisitions() - kept
        for acquisition in orphans & await store.sagas.ids() if orphans else ():
            store.secrets.remove(acquisition)

    def _out(self, saga_id: str, plan: Plan) -> list[Step]:
        """Return how a new version goes out again."""
        steps: list[Step] = [("activate", lambda: self._secrets(saga_id))]
        if plan.server and plan.version:
            steps.append(("activate", lambda: self._links(plan, plan.previous, plan.earlier)))
            steps.append(("build", lambda: self._installations.discard(plan.server, plan.version)))
        return steps

    def _back(self, plan: Plan) -> list[Step]:
        """Return how a rollback that did not reach the catalogue is taken back: both versions stay."""
        return [("restore", lambda: self._links(plan, plan.previous, plan.earlier))]

    async def _links(self, plan: Plan, current: str, previous: str) -> None:
        # another admission may have come after one whose undo was stuck: what that made is left alone
        if self._installations.current(plan.server) in ("", plan.version, current):
            await self._installations.restore(plan.server, current, previous)

    async def _committed(self, saga: Saga) -> bool:
        try:
            server = await self._store.servers.get(saga.plan.server)
        except UnknownServer:
            return False
        return server.acquisition == (saga.plan.back_to or saga.id)

    async def _secrets(self, saga_id: str) -> None:
        self._store.secrets.remove(saga_id)
