"""The loop that looks after servers: it looks, decides by the file of each, and has remedies applied.

Who owns a server when: while it restarts by its own policy, the supervision does (``runtime.restart``), and nobody else
touches it; once that has given up, or while it runs and is sick, the ladder does. A remedy hands it back to the
supervision with a clean slate. What was stopped, is lazy or idle is nobody's patient, and is not woken.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.app import conditions
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.sights import Sights
from vsm_mcp.app.treatment import Treatment
from vsm_mcp.config import Config
from vsm_mcp.errors import UnknownServer, VsmError
from vsm_mcp.events import ConditionChanged, Emit, Event, GaveUp, ServerRemoved, ServerStarted
from vsm_mcp.health.check import Condition, HealthCheck
from vsm_mcp.health.file import File, weight
from vsm_mcp.health.ladder import KNOCK, Case, Rest, Try
from vsm_mcp.health.look import look
from vsm_mcp.health.remedy import Patient
from vsm_mcp.health.schedule import Schedule, pause, together
from vsm_mcp.health.wiring import build, fitted, pace_of
from vsm_mcp.model.health_settings import HealthSettings
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.status import Status
from vsm_mcp.runtime.supervisor import Runtime

_GLANCE_SECONDS: Final = 5.0
_GRAIN_SECONDS: Final = 0.1
_AT_ONCE: Final = 64
_NOT_OURS: Final = (RefKind.REMOTE, RefKind.CMD)
_SUPERVISED: Final = frozenset({ServerState.STARTING, ServerState.FAILED})

Degrade = Callable[[str, float], None]
"""Has a server count for a part of itself (0 to 1) among those that can do its work."""


class Healing:
    """Looks after the servers of one home while :meth:`run` runs; ``files`` are what is known of each, by name."""

    def __init__(
        self,
        config: Callable[[], Config],
        home: tuple[Runtime, Fleet, Sights],
        treatment: Treatment,
        degrade: Degrade,
        emit: Emit,
    ) -> None:
        self._config = config
        self._runtime, self._fleet, self._sights = home
        self._treatment = treatment
        self._degrade = degrade
        self._emit = emit
        self._schedule = Schedule()
        self._chance: Callable[[], float] = random.random
        self._news = asyncio.Event()
        self._until: float | None = None
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._weights: dict[str, float] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._checks: dict[str, HealthCheck] = {}
        self._faults: tuple[str, ...] = ()
        self._built: tuple[str, ...] | None = None
        self.files: dict[str, File] = {}

    async def run(self) -> None:
        """Look until cancelled. Remedies that are under way then are given up; what was tried is remembered."""
        with contextlib.suppress(VsmError):  # what was tried cannot be read: the ladders begin at the bottom
            for name, climb in (await self._treatment.remembered()).items():
                self.files.setdefault(name, File(climb))
                self._weigh(name)
        async with asyncio.TaskGroup() as self._tasks:
            for status in self._runtime.statuses():
                if status.state in (ServerState.READY, ServerState.GAVE_UP):
                    self._soon(status.name)
            glanced = time.monotonic()
            while True:
                await self._due()
                now = time.monotonic()
                if not self._settings.every_seconds:
                    continue
                if now - glanced >= _GLANCE_SECONDS:
                    glanced = now
                    for name, lost in self._sights.glance().items():
                        self._schedule.hasten(name, now if lost else now + self._settings.every_seconds)
                for name in self._schedule.pop(now):
                    self._tasks.create_task(self._look(name))

    def __call__(self, event: Event) -> None:
        """Take note of what happens to servers."""
        if self._tasks is None:
            return
        match event:
            case ServerStarted(server=name):
                if name in self.files:
                    self.files[name].restarted()
                if name not in self._schedule and not self._treatment.treats(name):
                    self._soon(name)
            case GaveUp(server=name, session=""):
                self._put(name, 0.0)
            case ServerRemoved(server=name):
                self._forgotten(name)

    def afresh(self, name: str) -> None:
        """Forget what ailed a server and what was tried: a person has started it, or it is another version now."""
        file = self.files.get(name)
        if file is not None:
            file.afresh()
            self._sights.renewed(name)
            self._treatment.released(name, file)
            self._weigh(name)

    def configured(self) -> None:
        """Take in that other settings count from now on."""
        self._built = None
        self._news.set()

    # --- what is shown ------------------------------------------------------------------------------------------------

    def beside(self, row: Mapping[str, Any], *, closely: bool = False) -> dict[str, Any]:
        """Return a row about a server with how it is."""
        file = self.files.get(row["name"])
        shown = conditions.brief(file)
        if closely:
            shown |= conditions.closely(file, self._settings.remedies)
        return {**row, "condition": shown}

    def report(self) -> dict[str, Any]:
        """Return what ``status`` says of all: the limit of restarts, and what it held back."""
        return {"restarts": msgspec.to_builtins(self._runtime.starts.state())}

    def rows(self) -> list[dict[str, Any]]:
        """Return what ``doctor`` says."""
        faults = (*self._faults, *self._treatment.faults)
        return conditions.doctor_rows(self.files, self._runtime.starts.state(), faults)

    async def conditions(self, names: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return how servers are (none named: all), without asking them. Raises :class:`UnknownServer`."""
        chosen = names or tuple(sorted(self._fleet.servers))
        return {"servers": [self.beside({"name": self._fleet.get(name).name}) for name in chosen], **self.report()}

    # --- one look -----------------------------------------------------------------------------------------------------

    @property
    def _settings(self) -> HealthSettings:
        return self._config().health

    async def _look(self, name: str) -> None:
        if self._treatment.treats(name):
            return
        status = self._status(name)
        if status is None:
            self._forgotten(name)
            return
        settings, now = self._settings, time.time()
        if status.state is ServerState.GAVE_UP:
            file = self.files.setdefault(name, File())
            before = file.chart.condition
            file.given_up(status.reason, now)
        elif status.state is ServerState.READY:
            subject = self._sights.subject(status, now)
            async with self._asking:
                readings = await look(self._now_checks(), subject)
            again = self._status(name)
            if again is None or (again.state, again.pid, again.since) != (status.state, status.pid, status.since):
                self._put(name, settings.doubt_seconds)  # it is another process by now, or none
                return
            file = self.files.setdefault(name, File())
            before = file.chart.condition
            file.look(readings, time.time(), settings)
        else:
            if status.state in _SUPERVISED:
                self._usually(name)
            return
        self._became(name, before, file)
        self._step(name, file, status)

    def _now_checks(self) -> dict[str, HealthCheck]:
        settings = self._settings
        if self._built != settings.checks:
            self._checks, self._faults = build("health_checks", settings.checks)
            self._built = settings.checks
        return self._checks

    def _became(self, name: str, before: Condition, file: File) -> None:
        chart = file.chart
        if chart.condition is not before:
            words = str(before), str(chart.condition)
            self._emit(ConditionChanged(server=name, before=words[0], after=words[1], reason=chart.reason))
        self._weigh(name)

    def _step(self, name: str, file: File, status: Status) -> None:
        """Have done what the ladder says, and put the server down for its next look."""
        settings = self._settings
        seconds = settings.doubt_seconds if file.closely else None
        patient = self._patient(status)
        if patient is None or not settings.heal:
            self._again(name, file, seconds)
            return
        case = fitted(Case(condition=file.chart.condition), patient, self._treatment.remedies())
        step = file.step(case, time.time(), pace_of(settings), self._chance())
        if isinstance(step, Try):
            remedy = case.knock if step.remedy == KNOCK else step.remedy
            if self._tasks is not None and self._treatment.begin(name, file, step.remedy, remedy, patient):
                self._tasks.create_task(self._treated(name, file))
                return
        elif isinstance(step, Rest):
            if step.forget:
                self._treatment.released(name, file)
                self._weigh(name)
        elif file.closely:
            seconds = min(settings.doubt_seconds, max(step.seconds, _GRAIN_SECONDS))
        self._again(name, file, seconds)

    def _again(self, name: str, file: File, seconds: float | None) -> None:
        """Have a server looked at in so many seconds; ``None``: when its turn comes, late for an idle one."""
        if seconds is None:
            calm = max(self._settings.every_seconds, 2 * _GLANCE_SECONDS)
            idle = file.chart.condition is Condition.HEALTHY and self._sights.idle(name, calm)
            self._usually(name, self._settings.idle_factor if idle else 1.0)
        else:
            self._put(name, seconds)

    async def _treated(self, name: str, file: File) -> None:
        try:
            renewed = await self._treatment.treat(name)
        finally:
            self._treatment.end(name)
        if self.files.get(name) is not file:
            return
        if renewed:
            self._sights.renewed(name)
        self._weigh(name)
        self._put(name, self._settings.backoff_seconds)

    def _patient(self, status: Status) -> Patient | None:
        """Return a server that may be mended: one of the catalogue, which is nobody's newcomer."""
        server = self._fleet.servers.get(status.name)
        if server is None:
            return None
        return Patient(
            name=status.name,
            remote=server.installation.entry.remote,
            running=status.state is ServerState.READY,
            installed=server.ref.kind not in _NOT_OURS,
            personal=status.personal,
        )

    # --- when ---------------------------------------------------------------------------------------------------------

    async def _due(self) -> None:
        """Wait until somebody is due, or the ledger is: it may tell of somebody who is not."""
        due = self._schedule.next() if self._settings.every_seconds else None
        self._until = None if due is None else min(due, self._grid(time.monotonic() + _GLANCE_SECONDS / 2))
        wait = None if self._until is None else max(self._until - time.monotonic(), _GRAIN_SECONDS)
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._news.wait()

    def _soon(self, name: str) -> None:
        """Have a server looked at for the first time, at any moment of the first round."""
        self._put(name, self._settings.every_seconds * self._chance())

    def _usually(self, name: str, times: float = 1.0) -> None:
        """Have a server looked at when it is its turn again, together with a few others."""
        self._put(name, times * pause(self._settings.every_seconds, self._chance()), slack=True)

    def _put(self, name: str, seconds: float, *, slack: bool = False) -> None:
        at = time.monotonic() + seconds
        at = self._grid(at) if slack else at
        self._schedule.put(name, at)
        if self._until is None or at < self._until:
            self._news.set()

    def _grid(self, at: float) -> float:
        return together(at, self._settings.every_seconds, len(self._schedule))

    def _status(self, name: str) -> Status | None:
        try:
            return self._runtime.status(name)
        except UnknownServer:
            return None

    def _weigh(self, name: str) -> None:
        """Tell the traffic for how much of itself a server counts."""
        file = self.files.get(name)
        if file is None:
            return
        counts = weight(file.chart, file.climb, self._settings.degraded_weight)
        if counts != self._weights.get(name, 1.0):
            self._weights[name] = counts
            self._degrade(name, counts)

    def _forgotten(self, name: str) -> None:
        self._schedule.drop(name)
        self.files.pop(name, None)
        self._sights.forget(name)
        if self._weights.pop(name, 1.0) != 1.0:
            self._degrade(name, 1.0)
