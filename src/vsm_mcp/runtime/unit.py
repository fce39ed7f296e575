"""One process of a server under supervision: one task runs it, restarts it, and gives up on it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from vsm_mcp.config import Runtime as Settings
from vsm_mcp.errors import ServerDown, VsmError
from vsm_mcp.events import Emit, GaveUp, ServerCrashed, ServerStopped
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.checkup import Health, examine
from vsm_mcp.runtime.end import End
from vsm_mcp.runtime.listing import Lister
from vsm_mcp.runtime.lull import lull
from vsm_mcp.runtime.process import Instance, StartFailed
from vsm_mcp.runtime.restart import Failure, GiveUp, Leave, Verdict, decide, remember
from vsm_mcp.runtime.role import Listeners, Role, Rules
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.status import Crash, Status, shortened
from vsm_mcp.wire.connection import Connection

Start = Callable[[str | None], Awaitable[Instance]]
"""Starts one instance; takes the era that is known, raises :class:`VsmError`."""


Before = Callable[[Instance], Awaitable[object]]
"""What is done to an instance before another one takes its place; raises :class:`VsmError` where it shall stay."""


async def nothing(_instance: Instance) -> None:
    """Do nothing: stopping it is enough."""


class Unit:
    """The state of one process, also while it is down. All methods belong to the event loop it was made in."""

    def __init__(self, role: Role, start: Start, rules: Rules, emit: Emit, listeners: Listeners) -> None:
        self.name = role.name
        self.state = ServerState.STOPPED
        self._role = role
        self._session = shortened(role.session)
        self._start = start
        self._rules = rules
        self._emit = emit
        self._listeners = listeners
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Future[Any]] = set()
        self._instance: Instance | None = None
        self._history: tuple[Failure, ...] = ()
        self._ready: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()
        self._era: str | None = None
        self._restarts = 0
        self._since = time.time()
        self._reason = ""
        self._last_words: tuple[str, ...] = ()
        self._crash: Crash | None = None
        self._waiting = 0
        self._changing = False
        self._asked_to_end = False
        self._personal = False
        self._used = False
        self._quiet_since = asyncio.get_running_loop().time()

    @property
    def open(self) -> Connection | None:
        """The open connection, if it runs; to look at it is no use of it."""
        instance = self._instance if self._task is not None else None  # without a task it is being stopped
        if self._changing:
            return None
        if self.state is ServerState.READY and instance is not None and not instance.connection.closed.done():
            return instance.connection
        return None

    @property
    def untended(self) -> bool:
        """Whether nothing runs it, nor waits to."""
        return self._task is None or self._task.done()

    @property
    def pid(self) -> int | None:
        """The process id of what runs."""
        return self._instance.pid if self._instance is not None else None

    @property
    def busy(self) -> bool:
        """Whether a call is in flight, or somebody waits for its start."""
        return self._waiting > 0 or (self._instance is not None and self._instance.connection.calls > 0)

    def quiet(self, now: float) -> float:
        """Return for how many seconds (of the loop's time) nobody has used it, as far as anybody looked.

        A call that went by since the last look counts as if it ended now, so that the call path needs no clock.
        """
        busy = self.busy or bool(self._listeners.watched)
        if busy or self._used:
            self._quiet_since = now
        self._used = busy
        return now - self._quiet_since

    def status(self) -> Status:
        """Return what is known now."""
        instance = self._instance
        return Status(
            name=self.name,
            state=self.state,
            pid=instance.pid if instance else None,
            tier=instance.tier if instance else "",
            era=instance.connection.era if instance else self._era or "",
            restarts=self._restarts,
            since=self._since,
            reason=self._reason,
            stderr_tail=instance.stderr_tail if instance else self._last_words,
            in_flight=instance.connection.calls if instance else 0,
            waiting=self._waiting,
            crash=self._crash,
            junk=instance.junk if instance else 0,
            personal=self._personal and self.state is ServerState.GAVE_UP,
        )

    def begin(self, *, afresh: bool = False) -> None:
        """See to it that it runs; ``afresh`` forgets its failures, also if it was given up."""
        self._used = True
        if afresh:
            self._history = ()
        if self._task is None or self._task.done():
            self._new_attempt()
            self._change(ServerState.STARTING)
            name = f"server {self.name} {self._session}".rstrip()
            self._task = asyncio.get_running_loop().create_task(self._run(), name=name)
        else:
            self._hurry.set()

    def ready(self) -> Connection | None:
        """Return the open connection, if it runs; that counts as use."""
        instance = self._instance if self._task is not None else None  # as in open, but this is the way of every call
        if self._changing:
            return None
        if self.state is ServerState.READY and instance is not None and not instance.connection.closed.done():
            self._used = True
            return instance.connection
        return None

    async def connection(self, seconds: float) -> Connection:
        """Return an open connection, starting it if need be. Raises :class:`ServerDown`, saying why there is none."""
        ready = self.ready()
        if ready is not None:
            return ready
        if self.state is ServerState.GAVE_UP:
            raise self._down(f"it was given up: {self._reason}")
        if self.state in {ServerState.FAILED, ServerState.READY}:
            self._new_attempt()  # READY: it has just broken, and its task does not know yet
        self.begin()
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise self._down(f"it was not ready within {seconds:g} s") from None
        finally:
            self._waiting -= 1

    def tell(self, method: str) -> None:
        """Send a notification without params to what runs now; see :meth:`Connection.tell`."""
        if self._instance is not None:
            self._instance.connection.tell(method)

    async def health(self, seconds: float) -> Health:
        """Return whether it runs and answers; never starts it."""
        instance = self._instance
        if self.state is not ServerState.READY or instance is None:
            return Health(ok=False, detail=f"it is {self.state.value}" + (f": {self._reason}" if self._reason else ""))
        return await examine(instance, seconds)

    def watch(self, uri: str) -> None:
        """Have one of the watched resources watched by what runs now."""
        if self._instance is not None:
            self._instance.connection.watch(uri)

    def unwatch(self, uri: str) -> None:
        """Have it watched no longer."""
        if self._instance is not None:
            self._instance.connection.unwatch(uri)

    def govern(self, rules: Rules) -> None:
        """Have other rules count from now on."""
        self._rules = rules

    def adapt(self, spec: ServerSpec, limits: Settings) -> bool:
        """Have what runs take on other limits; false where it has to be started anew for them."""
        return self._instance is None or self._instance.adapt(spec, limits)

    async def change_over(self, reason: str, patience: float, before: Before = nothing) -> bool:
        """Start it anew if it runs, or should: what it works on may end first, for ``patience`` seconds.

        Who asks for it from now on waits for the new process. One that is stopped, also meanwhile, stays so: false.
        ``before`` is done to the old one then; if it raises, that goes on as it was.
        """
        task, instance = self._task, self._instance
        if task is None or self.state is ServerState.STOPPED:
            return False
        if instance is not None and self.state is ServerState.READY:
            self._changing = True
            self._new_attempt()
            self._listeners.freed()
            try:
                await lull(instance.connection, patience)
                self._asked_to_end = True
                await before(instance)
            finally:
                self._changing = self._asked_to_end = False
            if self._task is not task or self._instance not in (instance, None):
                return self._task is not None  # it was stopped, or has ended and come up anew, meanwhile
        self._task = None
        task.cancel()
        self._track(task)
        if instance is not None:
            self._emit(ServerStopped(server=self.name, reason=reason, session=self._session))
        self.begin(afresh=True)
        return True

    def stop(self, reason: str) -> Coroutine[Any, Any, None]:
        """End it: nobody gets it from now on, and nothing of it is left once what this returns was awaited.

        Who asks for it meanwhile gets a new one, started when this one has ended.
        """
        task, self._task = self._task, None
        running = task is not None and not task.done()
        if task is not None:
            task.cancel()
            self._track(task)
        self._refuse(ServerDown(f"{self.name} was stopped: {reason}"))
        return self._stopped(reason, running=running)

    async def _stopped(self, reason: str, *, running: bool) -> None:
        await self._gone()
        if running:
            self._emit(ServerStopped(server=self.name, reason=reason, session=self._session))
        if self._task is None and self.state is not ServerState.STOPPED:
            self._change(ServerState.STOPPED, reason)

    # --- the one task ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        await self._gone()
        while True:
            self._change(ServerState.STARTING, self._reason)
            try:
                end = await self._once()
            finally:
                await self._drop()
            if not await self._recover(end):
                return

    async def _once(self) -> End:
        """Start it and keep it in service until it ends by itself; return how it did."""
        began = 0.0
        try:
            instance = self._instance = await self._start(self._era)
            began = time.monotonic()
            reason = await self._serve(instance)
            return End(reason=reason, exit=instance.exit, ready=True, lasted=time.monotonic() - began)
        except VsmError as error:
            ended = error.exit if isinstance(error, StartFailed) else None
            return End(reason=error.message, error=error, exit=ended, ready=began > 0)

    async def _serve(self, instance: Instance) -> str:
        """Keep an instance in service until it ends; return why it did."""
        connection = instance.connection
        self._era = connection.era
        self._change(ServerState.READY)
        if not self._ready.done():
            self._ready.set_result(connection)
        said = functools.partial(self._listeners.said, self._role.session)
        connection.on_news(self._listeners.updated, None if self._role.session else self._listeners.asking, said)
        for uri in self._listeners.watched:
            connection.watch(uri)
        lister = Lister(connection, self._role, lambda: self._rules, self._hearing(), self._listed)
        listing = asyncio.get_running_loop().create_task(lister.run())
        try:
            return await instance.ended()
        finally:
            listing.cancel()
            await asyncio.wait([listing])

    def _hearing(self) -> Listeners:
        """Return who hears what it offers: nobody, once another process is to take its place."""
        heard = self._listeners

        def unless_leaving(tell: Callable[[Offer], None]) -> Callable[[Offer], None]:
            return lambda offer: None if self._changing else tell(offer)

        offered, compared = unless_leaving(heard.offered), unless_leaving(heard.compared)
        return msgspec.structs.replace(heard, offered=offered, compared=compared)

    def _listed(self, failure: str) -> None:
        self._reason = failure

    async def _recover(self, end: End) -> bool:
        """Take note of an end; wait until the next start; return false if there is none."""
        if self._asked_to_end:  # who asked for it starts the next one
            return False
        verdict = self._judged(end)
        self._emit(ServerCrashed(server=self.name, reason=end.reason, session=self._session))
        error = end.error or self._down(end.reason)
        if isinstance(verdict, GiveUp):
            why = end.reason if verdict.reason == end.reason else f"{verdict.reason}; the last time: {end.reason}"
            self._change(ServerState.GAVE_UP, why)
            self._emit(GaveUp(server=self.name, reason=why, session=self._session))
            self._refuse(end.error or self._down(why))
            return False
        if isinstance(verdict, Leave):
            well = end.ready and end.clean
            self._change(ServerState.STOPPED if well else ServerState.FAILED, f"{end.reason}; {verdict.reason}")
            self._refuse(error)
            return False
        self._change(ServerState.FAILED, end.reason)
        if not end.ready:
            self._refuse(error)
        if self._ready.done():  # else somebody waits for the next one already
            self._hurry.clear()
            if not await self._hurried(verdict.delay):
                await self._hurried(self._rules.turn())
            self._new_attempt()
        self._restarts += 1
        return True

    async def _hurried(self, seconds: float) -> bool:
        """Wait for so long; true at once when somebody needs it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        return self._hurry.is_set()

    def _judged(self, end: End) -> Verdict:
        """Keep how it ended; return what follows."""
        error, now = end.error, time.monotonic()
        if isinstance(error, StartFailed):
            self._last_words = error.stderr_tail
        self._crash = end.crash(self._last_words)
        self._personal = end.personal
        if end.personal:
            return GiveUp(end.reason)
        failure = Failure(now, end.ready, end.lasted, end.clean)
        self._history = remember(self._history, failure, self._rules.limits)
        return decide(self._history, now, self._rules.limits, self._rules.jitter(), self._role.restart())

    async def _drop(self) -> None:
        instance, self._instance = self._instance, None
        if instance is not None:
            self._last_words = instance.stderr_tail
            ending = asyncio.ensure_future(instance.stop())
            self._track(ending)
            await asyncio.shield(ending)
            self._last_words = instance.stderr_tail

    def _track(self, ending: asyncio.Future[Any]) -> None:
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _gone(self) -> None:
        """Wait until nothing is left of what is being stopped."""
        if self._ending:
            await asyncio.wait(tuple(self._ending))

    # --- those who wait ----------------------------------------------------------------------------------------------

    def _new_attempt(self) -> None:
        if self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()

    def _refuse(self, error: VsmError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # nobody may be waiting

    def _down(self, reason: str) -> ServerDown:
        tail = self._instance.stderr_tail if self._instance else self._last_words
        said = f' (its last line: "{tail[-1]}")' if tail else ""
        return ServerDown(
            f"{self.name} is not running: {reason}{said}", f"see its log, or: vsm-mcp restart {self.name}"
        )

    def _change(self, state: ServerState, reason: str = "") -> None:
        if state is not self.state:
            self._since = time.time()
        self.state = state
        self._reason = reason
        self._listeners.freed()
