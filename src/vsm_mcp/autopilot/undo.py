"""Taking an admission back: every undo is idempotent and needs only the plan, so that it works after ``kill -9``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from vsm_mcp.errors import UnknownServer, VsmError
from vsm_mcp.events import Emit, Recovered, StepUndone, UndoFailed
from vsm_mcp.install.transaction import Installations
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Plan, Saga


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
        steps: list[tuple[str, Callable[[], Awaitable[None]]]] = [("activate", lambda: self._secrets(saga_id))]
        if plan.server and plan.version:
            steps.append(("build", lambda: self._installations.discard(plan.server, plan.version)))
        clean = True
        for step, act in steps:
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
                await self._store.sagas.end(saga.id, "done")
                result = "finished"
            else:
                result = "undone" if await self.undo(saga.id, saga.plan) else "not undone"
            await self._store.evidence.add(saga.id, "recovered", {"result": result, "step": saga.step})
            self._emit(Recovered(acquisition=saga.id, result=result))
        known = {server.name for server in await self._store.servers.all()}
        for name in self._installations.servers():
            if name not in known:  # a removal that was cut off after the row was gone
                await self._installations.discard_server(name)
        await self._installations.sweep()

    async def _committed(self, saga: Saga) -> bool:
        try:
            return (await self._store.servers.get(saga.plan.server)).acquisition == saga.id
        except UnknownServer:
            return False

    async def _secrets(self, saga_id: str) -> None:
        self._store.secrets.remove(saga_id)
