"""One remedy at a time for a server: remembered before it is done, asked of the policy, told afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.ward import ACTOR
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit, Escalated, RemedyTried, ServerReplaced
from vsm_mcp.health.file import File
from vsm_mcp.health.ladder import ESCALATE, Climb
from vsm_mcp.health.remedy import Done, Patient, Remedy, Ward
from vsm_mcp.health.wiring import build
from vsm_mcp.model.action import Action
from vsm_mcp.runtime.start_limit import StartLimit
from vsm_mcp.store import Store

_AT_ONCE: Final = 4


class _Doing(NamedTuple):
    """What is being done: under which name it is remembered, and by which remedy."""

    file: File
    called: str
    remedy: str
    patient: Patient


class Treatment:
    """Applies remedies, a few at a time. ``starts`` is the limit that they share with the supervision."""

    def __init__(
        self,
        config: Callable[[], Config],
        home: tuple[Fleet, Performer, Store],
        ward: Ward,
        starts: StartLimit,
        emit: Emit,
    ) -> None:
        self._config = config
        self._fleet, self._performer, self._store = home
        self._ward = ward
        self._starts = starts
        self._emit = emit
        self._doing: dict[str, _Doing] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._remedies: dict[str, Remedy] = {}
        self._built: tuple[str, ...] | None = None
        self.faults: tuple[str, ...] = ()
        self._writing: set[asyncio.Task[None]] = set()

    async def remembered(self) -> dict[str, Climb]:
        """Return what was tried with each server before this daemon. Raises :class:`StoreError`."""
        found = await self._store.health.all()
        return {name: msgspec.json.decode(body, type=Climb) for name, body in found.items()}

    def remedies(self) -> dict[str, Remedy]:
        """Return the remedies that the settings name, from the lowest rung up; ``faults`` says which cannot be had."""
        settings = self._config().health
        if self._built != settings.remedies:
            self._remedies, self.faults = build("remedies", settings.remedies)
            self._built = settings.remedies
        return self._remedies

    def treats(self, name: str) -> bool:
        """Whether something is being done to a server now."""
        return name in self._doing

    def begin(self, name: str, file: File, called: str, remedy: str, patient: Patient) -> bool:
        """Take a server on; false where it would be started, and the fleet has no start to spare now."""
        chosen = self.remedies().get(remedy)
        if chosen is not None and chosen.starts and not self._starts.free():
            return False
        self._doing[name] = _Doing(file, called, remedy, patient)
        file.try_(called, time.time())
        return True

    def end(self, name: str) -> None:
        """Let go of a server."""
        self._doing.pop(name, None)

    async def treat(self, name: str) -> bool:
        """Do what was begun; return whether another process runs now."""
        doing = self._doing[name]
        await self._write(name, doing.file.climb)
        if doing.remedy == ESCALATE:
            self._escalate(name, doing.file)
            await self._write(name, doing.file.climb)
            return False
        done: Done | None = None
        try:
            async with self._turns:
                done = await self._performed(name, doing)
            detail = done.detail
            doing.file.done(done, time.time())
        except VsmError as error:
            detail = error.message
            doing.file.failed(detail, time.time())
        outcome = "failed" if done is None else "done"
        self._emit(RemedyTried(server=name, remedy=doing.called, outcome=outcome, detail=detail))
        if done is not None and done.stands_in:
            self._emit(ServerReplaced(server=name, stands_in=done.stands_in))
        await self._write(name, doing.file.climb)
        return done is not None and done.renews

    def released(self, name: str, file: File) -> None:
        """Forget what was tried, here and in the store; what others did for it, it does itself again."""
        stands_in = file.climb.stands_in
        file.forget()
        if stands_in:
            self._emit(ServerReplaced(server=name))
        self._later(self._forget(name))

    async def settled(self) -> None:
        """Wait until everything is written."""
        if self._writing:
            await asyncio.wait(tuple(self._writing))

    async def _performed(self, name: str, doing: _Doing) -> Done:
        remedy, server = self.remedies()[doing.remedy], self._fleet.get(name)
        action = Action(kind=remedy.kind, subject=name, actor=ACTOR, facts={"ref": str(server.ref)})
        detail = f"{doing.called}: {doing.file.chart.reason}"
        return await self._performer.perform(action, lambda: remedy.apply(doing.patient, self._ward), detail)

    def _escalate(self, name: str, file: File) -> None:
        tried = tuple(dict.fromkeys(each.remedy for each in file.climb.attempts if each.remedy != ESCALATE))
        reason = file.chart.reason
        file.done(Done(reason, renews=False), time.time())
        self._emit(Escalated(server=name, reason=reason, tried=tried))

    async def _write(self, name: str, climb: Climb) -> None:
        with contextlib.suppress(VsmError):  # a full disk must not keep a server from being mended
            await self._store.health.put(name, msgspec.json.encode(climb))

    async def _forget(self, name: str) -> None:
        with contextlib.suppress(VsmError):  # as above
            await self._store.health.forget(name)

    def _later(self, writing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
