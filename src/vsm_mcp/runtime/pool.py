"""The processes of one server: the one that is shared, and for a stateful server one for each session."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from vsm_mcp.config import Runtime as Settings
from vsm_mcp.errors import Overloaded
from vsm_mcp.events import Emit, ToolsChanged
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server, ServerState
from vsm_mcp.runtime.process import Instance
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.status import InstanceStatus, Status, shortened
from vsm_mcp.runtime.tenure import Tenure
from vsm_mcp.runtime.unit import Listeners, Role, Rules, Unit
from vsm_mcp.wire.connection import Connection

Start = Callable[[str, str | None], Awaitable[Instance]]
"""Starts one instance for a session (empty: the shared one); takes the era that is known, raises ``VsmError``."""
IDLE: Final = "idle"


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
        self._listeners = msgspec.structs.replace(listeners, offered=self._listed)
        self._leaving: set[asyncio.Task[None]] = set()
        self._instances: OrderedDict[str, Unit] = OrderedDict()
        self.shared = self._unit("")

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
            return self.shared.ready()
        return self.unit(session).ready() if session in self._instances else None

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
        await self.shared.stop(reason)
        if self._leaving:
            await asyncio.wait(tuple(self._leaving))

    def govern(self, rules: Rules, tenure: Tenure) -> None:
        """Have other rules count from now on."""
        self._rules, self.tenure = rules, tenure
        for unit in (self.shared, *self._instances.values()):
            unit.govern(rules)

    def adapt(self, spec: ServerSpec, limits: Settings) -> bool:
        """Have all that runs take on other limits; false where something has to be started anew for them."""
        return all(unit.adapt(spec, limits) for unit in (self.shared, *self._instances.values()))

    async def renew(self, reason: str, patience: float) -> bool:
        """Start anew what runs, and say whether the shared process does; see :meth:`Unit.renew`."""
        units = (self.shared, *self._instances.values())
        renewed = await asyncio.gather(*(unit.renew(reason, patience) for unit in units))
        return renewed[0]

    def status(self) -> Status:
        """Return what is known now."""
        instances = tuple(_status(session, unit.status()) for session, unit in self._instances.items())
        return msgspec.structs.replace(self.shared.status(), stateful=self.tenure.stateful, instances=instances)

    # --- idle times ---------------------------------------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """See :class:`vsm_mcp.runtime.idle.Resting`."""
        tenure = self.tenure
        shared = tenure.idle_seconds if self.shared.state is ServerState.READY else 0.0
        single = tenure.session_idle_seconds if self._instances else 0.0
        return min(shared, single) if shared and single else shared or single

    def rest(self, now: float) -> None:
        """See :class:`vsm_mcp.runtime.idle.Resting`."""
        tenure = self.tenure
        for session, unit in tuple(self._instances.items()):
            if unit.quiet(now) >= tenure.session_idle_seconds > 0:
                self.end(session, IDLE)
        if self.shared.quiet(now) >= tenure.idle_seconds > 0 and self.shared.state is ServerState.READY:
            self._leave(self.shared, IDLE)

    # --- inside -------------------------------------------------------------------------------------------------------

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

    def _unit(self, session: str) -> Unit:
        async def start(known_era: str | None) -> Instance:
            if session and self._leaving:  # so that there are never more processes than the limit
                await asyncio.wait(tuple(self._leaving))
            return await self._start(session, known_era)

        # Somebody has to look whether the server still offers what was approved: its shared process, if it runs.
        lists = not session or self.shared.state is not ServerState.READY
        role = Role(name=self.server.name, session=session, lists=lists)
        return Unit(role, start, self._rules, self._emit, self._listeners)

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
    )
