"""The processes of one server: those that are shared, and for a stateful server one for each session."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

import msgspec

from vsm_mcp.config import Runtime as Settings
from vsm_mcp.errors import Overloaded
from vsm_mcp.events import Emit, ToolsChanged
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server, ServerState
from vsm_mcp.runtime.checkup import Health
from vsm_mcp.runtime.lull import lull
from vsm_mcp.runtime.process import Instance
from vsm_mcp.runtime.replicas import OVERFLOW_SECONDS, Replicas
from vsm_mcp.runtime.role import Listeners, Role, Rules
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.status import InstanceStatus, Status, shortened
from vsm_mcp.runtime.tenure import Tenure
from vsm_mcp.runtime.unit import Before, Unit, nothing
from vsm_mcp.wire.connection import Connection

Start = Callable[[str, str | None], Awaitable[Instance]]
"""Starts one instance for a session (empty: the shared one); takes the era that is known, raises ``VsmError``."""
IDLE: Final = "idle"
_NOT_SHARED: Final = "its calls are not shared any more"


class Pool:
    """All that runs of one server. All methods belong to the event loop it was made in.

    ``listeners`` hear what the server says, through whichever process. Decisions are made without waiting, so that a
    process that shall end is out of reach at once; its end is awaited by whoever takes its place, and by :meth:`stop`.
    """

    def __init__(
        self, server: Server, tenure: Tenure, start: Start, rules: Rules, emit: Emit, listeners: Listeners
    ) -> None:
        self.server = server
        self.tenure = tenure
        self.offer: Offer | None = None
        self._start = start
        self._rules = rules
        self._emit = emit
        self._offered = listeners.offered
        self._listeners = msgspec.structs.replace(listeners, offered=self._listed, freed=self._freed)
        self._replicas: Replicas | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._instances: OrderedDict[str, Unit] = OrderedDict()
        self.shared = self._unit("")
        self._fit()

    def renew(self, server: Server, tenure: Tenure) -> None:
        """Take note of other settings: they count from now on, those of a program from its next start."""
        self.server, self.tenure = server, tenure
        self._fit()

    def unit(self, session: str) -> Unit:
        """Return what serves ``session`` (empty: no client in particular).

        Raises :class:`Overloaded` when every process that there may be is busy for another session.
        """
        if not session or not self.tenure.stateful:
            return self.shared
        unit = self._instances.get(session) or self._admitted(session)
        self._instances.move_to_end(session)
        return unit

    def ready(self, session: str) -> Connection | None:
        """Return the open connection for ``session``, if what serves it runs."""
        if not session or not self.tenure.stateful:
            return self.shared.ready() if self._replicas is None else self._replicas.ready()
        return self.unit(session).ready() if session in self._instances else None

    def load(self) -> int | None:
        """Return the calls in flight, 0 where the next one starts it, ``None`` while it cannot answer."""
        states = [unit.state for unit in self._sharing()]
        if not any(state in (ServerState.READY, ServerState.STOPPED) for state in states):
            return None
        return sum(connection.calls for unit in self._all() if (connection := unit.open) is not None)

    async def connection(self, seconds: float, session: str) -> Connection:
        """Return an open connection for a call of ``session``, within so many seconds.

        Raises what :meth:`unit`, :meth:`Unit.connection` and :meth:`Replicas.connection` raise.
        """
        if self._replicas is not None and not (session and self.tenure.stateful):
            return await self._replicas.connection(seconds)
        return await self.unit(session).connection(seconds)

    async def start(self, seconds: float) -> None:
        """Start what is shared, the failures of which are forgotten. Raises what :meth:`Unit.connection` raises."""
        if self._replicas is not None:
            self._replicas.begin(afresh=True)
        self.shared.begin(afresh=True)
        await self.shared.connection(seconds)

    def watch(self, uri: str) -> None:
        """Have a resource watched in every process, now and later: each session changes its own. Idempotent.

        What is watched keeps processes from being idle, not from giving way to another session.
        """
        self._listeners.watched.add(uri)
        for unit in (self.shared, *self._instances.values()):
            unit.watch(uri)

    def unwatch(self, uri: str) -> None:
        """Have it watched no longer. Idempotent."""
        self._listeners.watched.discard(uri)
        for unit in (self.shared, *self._instances.values()):
            unit.unwatch(uri)

    def tell(self, session: str, method: str) -> None:
        """Send a notification without params to the process of one session, if there is one."""
        if session in self._instances:
            self._instances[session].tell(method)

    def end(self, session: str, reason: str) -> None:
        """Begin to end the process of one session, if there is one."""
        unit = self._instances.pop(session, None)
        if unit is not None:
            self._leave(unit, reason)

    async def stop(self, reason: str) -> None:
        """End all of them; nothing is left then."""
        for session in tuple(self._instances):
            self.end(session, reason)
        for unit in self._replicas.disband(reason) if self._replicas is not None else ():
            self._leave(unit, reason)
        await self.shared.stop(reason)
        if self._leaving:
            await asyncio.wait(tuple(self._leaving))

    def govern(self, rules: Rules, tenure: Tenure) -> None:
        """Have other rules count from now on."""
        self._rules = rules
        for unit in self._all():
            unit.govern(rules)
        self.renew(self.server, tenure)

    def adapt(self, spec: ServerSpec, limits: Settings) -> bool:
        """Have all that runs take on other limits; false where something has to be started anew for them."""
        return all(unit.adapt(spec, limits) for unit in self._all())

    async def change_over(self, reason: str, patience: float, before: Before = nothing) -> bool:
        """Start anew what runs, and say whether the shared process does; see :meth:`Unit.change_over`.

        Raises what ``before`` raises, once all of them are through.
        """
        changing = [unit.change_over(reason, patience, before) for unit in self._all()]
        changed = await asyncio.gather(*changing, return_exceptions=True)
        for failure in changed:
            if isinstance(failure, BaseException):
                raise failure
        return bool(changed[0])

    @property
    def sessions(self) -> Collection[str]:
        """The sessions with a process to themselves, now and later."""
        return self._instances.keys()

    async def drained(self, patience: float) -> None:
        """Wait until no call is in flight, for ``patience`` seconds at most."""
        running = [unit.open for unit in self._all() if unit.open is not None]
        await asyncio.gather(*(lull(connection, patience) for connection in running))

    async def health(self, seconds: float) -> Health:
        """Return whether all that runs of it answers, each process within ``seconds``; nothing is started."""
        running = [unit for unit in self._all() if unit.state is ServerState.READY] or [self.shared]
        found = await asyncio.gather(*(unit.health(seconds) for unit in running))
        return min(found, key=lambda health: health.ok)

    def status(self) -> Status:
        """Return what is known now."""
        instances = tuple(_status(session, unit.status()) for session, unit in self._instances.items())
        pool = None if self._replicas is None else self._replicas.status()
        return msgspec.structs.replace(
            self.shared.status(), stateful=self.tenure.stateful, instances=instances, pool=pool
        )

    # --- idle times ---------------------------------------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """See :class:`vsm_mcp.runtime.idle.Resting`."""
        tenure = self.tenure
        shared = tenure.idle_seconds if self.shared.state is ServerState.READY else 0.0
        if len(self._sharing()) > tenure.sizes.size:
            shared = min(shared or OVERFLOW_SECONDS, OVERFLOW_SECONDS)
        single = tenure.session_idle_seconds if self._instances else 0.0
        return min(shared, single) if shared and single else shared or single

    def rest(self, now: float) -> None:
        """See :class:`vsm_mcp.runtime.idle.Resting`."""
        tenure = self.tenure
        for session, unit in tuple(self._instances.items()):
            if unit.quiet(now) >= tenure.session_idle_seconds > 0:
                self.end(session, IDLE)
        if self._replicas is not None:
            self._replicas.rest(now, tenure.idle_seconds)
        elif self.shared.quiet(now) >= tenure.idle_seconds > 0 and self.shared.state is ServerState.READY:
            self._leave(self.shared, IDLE)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _all(self) -> tuple[Unit, ...]:
        return (*self._sharing(), *self._instances.values())

    def _sharing(self) -> tuple[Unit, ...]:
        return (self.shared,) if self._replicas is None else tuple(self._replicas.units)

    def _fit(self) -> None:
        """Have as many processes as the settings say."""
        sizes, replicas = self.tenure.sizes, self._replicas
        if not sizes.plain and not self.tenure.stateful:
            if replicas is not None:
                replicas.resize(sizes)
            else:
                leave = functools.partial(self._leave, reason=IDLE)
                self._replicas = Replicas(self.shared, sizes, self._replica, leave)
        elif replicas is not None:
            self._replicas = None
            for unit in replicas.disband(_NOT_SHARED):
                self._leave(unit, _NOT_SHARED)

    def _replica(self) -> Unit:
        """Make one more process for all; what the server offers and what changes there, the shared one tells."""
        listeners = msgspec.structs.replace(self._listeners, watched=set())
        return self._unit("", lists=False, listeners=listeners)

    def _freed(self) -> None:
        if self._replicas is not None:
            self._replicas.freed()

    def _admitted(self, session: str) -> Unit:
        """Make room for one more session: the one unused longest gives way."""
        if len(self._instances) >= self.tenure.instances:
            longest = next((key for key, unit in self._instances.items() if not unit.busy), None)
            if longest is None:
                raise Overloaded(
                    f"{self.server.name} keeps state for each session, and all {len(self._instances)} of its processes"
                    " are busy for others",
                    "try again in a while; [runtime] instances_per_server allows more of them",
                )
            self.end(longest, "another session took its place")
        unit = self._instances[session] = self._unit(session)
        return unit

    def _unit(self, session: str, *, lists: bool = True, listeners: Listeners | None = None) -> Unit:
        async def start(known_era: str | None) -> Instance:
            if session and self._leaving:  # so that there are never more processes than the limit
                await asyncio.wait(tuple(self._leaving))
            return await self._start(session, known_era)

        # Somebody has to look whether the server still offers what was approved: its shared process, if it runs.
        lists = lists and (not session or self.shared.state is not ServerState.READY)
        role = Role(name=self.server.name, session=session, lists=lists, restart=lambda: self.tenure.restart)
        return Unit(role, start, self._rules, self._emit, listeners or self._listeners)

    def _listed(self, offer: Offer) -> None:
        before, self.offer = self.offer, offer
        self._offered(offer)
        if before is not None and before != offer:
            self._emit(ToolsChanged(server=self.server.name))

    def _leave(self, unit: Unit, reason: str) -> None:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(unit.stop(reason))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _status(session: str, status: Status) -> InstanceStatus:
    return InstanceStatus(
        session=shortened(session),
        state=status.state,
        pid=status.pid,
        restarts=status.restarts,
        since=status.since,
        reason=status.reason,
        in_flight=status.in_flight,
        waiting=status.waiting,
        crash=status.crash,
    )
