"""One way through the saga: its id, its plan, and the write-ahead of its steps."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from vsm_mcp.autopilot.outcome import Outcome, Request, outcome_of
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.errors import ApprovalNeeded, VsmError
from vsm_mcp.events import (
    AcquisitionFinished,
    AcquisitionStarted,
    StepFailed,
    StepFinished,
    StepStarted,
)
from vsm_mcp.model.action import Action
from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.store.sagas import Plan


class Said(list[str]):
    """What the body of a step has to say; ``failed`` is set for a failure that may yet be mended."""

    failed: VsmError | None = None


class Passage:
    """The state that every step of one admission shares.

    ``plan`` is all that undoing needs; ``shown`` is what the server would see and reach, as far as that is known. With
    a ``proposal`` its way ends in waiting: for a person, or (``rolls``) for its rollout. ``resumed`` is the id of one
    that did, and goes on.
    """

    def __init__(self, parts: Parts, request: Request, resumed: str = "") -> None:
        self.id = resumed or uuid.uuid4().hex[:12]
        self._resumed = bool(resumed)
        self.parts = parts
        self.request = request
        self.plan = Plan()
        self.shown: SandboxPlan | None = None
        self.proposal = b""
        self.rolls = False
        self.asked: Action | None = None
        self.facts = (request.known.launch if request.known else None) or LaunchFacts()

    async def take(self, way: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Go ``way`` to its end, in its turn; whatever ends it before is undone. Only a cancellation is raised."""
        async with self.parts.turns.turn(self.request.ref.identity):
            return await self._taken(way)

    async def _taken(self, way: Callable[[], Awaitable[Outcome]]) -> Outcome:
        parts, request = self.parts, self.request
        if self._resumed:
            await parts.store.sagas.resume(self.id)
        else:
            await parts.store.sagas.begin(self.id, str(request.ref))
        parts.emit(AcquisitionStarted(acquisition=self.id, subject=str(request.ref)))
        try:
            outcome = await way()
            if self.proposal:
                await parts.store.sagas.wait(self.id, self.proposal, rolling=self.rolls)
            else:
                await parts.store.sagas.end(self.id, "done")
        except VsmError as error:
            await self.take_back()
            outcome = outcome_of(error, request, self.id, self.shown)
            if isinstance(error, ApprovalNeeded):
                outcome = msgspec.structs.replace(outcome, asked=self.asked)
        except BaseException:
            await asyncio.shield(self.take_back())
            raise
        await self.record("outcome", msgspec.structs.replace(outcome, admitted=None, asked=None))
        code = outcome.reason.code if outcome.reason else ""
        parts.emit(AcquisitionFinished(acquisition=self.id, outcome=outcome.outcome, server=outcome.server, code=code))
        return outcome

    async def take_back(self) -> None:
        """Undo all that was done."""
        undo = Undo(self.parts.store, self.parts.installations, self.parts.emit)
        await undo.undo(self.id, self.plan)

    async def record(self, kind: str, body: Any) -> None:
        """Add to the evidence."""
        await self.parts.store.evidence.add(self.id, kind, body)

    @contextlib.asynccontextmanager
    async def step(self, step: str) -> AsyncIterator[Said]:
        """Write the step down, publish its begin and end, and let its body say a word about the result."""
        parts, began = self.parts, time.perf_counter()
        await parts.store.sagas.step(self.id, step, self.plan)
        parts.emit(StepStarted(acquisition=self.id, step=step))
        said = Said()
        try:
            yield said
        except VsmError as error:
            said.failed = error
            raise
        finally:
            if (why := said.failed) is not None:
                parts.emit(StepFailed(acquisition=self.id, step=step, code=why.code, message=why.message))
        if said.failed is not None:
            return
        seconds = time.perf_counter() - began
        parts.emit(StepFinished(acquisition=self.id, step=step, seconds=seconds, detail=" ".join(said)))
