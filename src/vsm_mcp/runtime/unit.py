"""One process of a server under supervision: one task runs it, restarts it, and gives up on it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.config import Runtime as Settings
from vsm_mcp.errors import LoginNeeded, ServerDown, UsageError, VsmError
from vsm_mcp.events import Emit, GaveUp, ServerCrashed, ServerStopped
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.process import Instance, StartFailed
from vsm_mcp.runtime.restart import Failure, GiveUp, Limits, decide, remember
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.status import Status, shortened
from vsm_mcp.wire.connection import Connection

_BETWEEN_LISTINGS_SECONDS: Final = 0.5
_LISTING_RETRY_SECONDS: Final = 10.0
_DRAIN_LOOK_SECONDS: Final = 0.02

Start = Callable[[str | None], Awaitable[Instance]]
"""Starts one instance; takes the era that is known, raises :class:`VsmError`."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How servers are treated: the intensity limit, the deadline of a listing, and where chance comes from."""

    limits: Limits
    list_timeout: float
    jitter: Callable[[], float]


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """Whose process it is: everybody's, or that of one ``session``; ``lists`` says whether it is asked what it offers.

    Only the shared one is asked again when it says that this changed: what a session changes is that session's.
    """

    name: str
    session: str = ""
    lists: bool = True


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears what one server says, through whichever of its processes.

    ``offered`` gets what it offers, ``updated`` the URI of a resource that changed, of those that are ``watched``;
    ``asking`` is called when it asks a client over a pipe that clients share, ``said`` with the session that a process
    is for (empty: shared), the method and the params of what it says outside of any call.
    """

    offered: Callable[[Offer], None]
    updated: Callable[[str], None]
    asking: Callable[[], None]
    said: Callable[[str, str, Raw], None]
    watched: set[str]


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
        self._stale = asyncio.Event()
        self._era: str | None = None
        self._restarts = 0
        self._since = time.time()
        self._reason = ""
        self._last_words: tuple[str, ...] = ()
        self._waiting = 0
        self._renewing = False
        self._used = False
        self._quiet_since = asyncio.get_running_loop().time()

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
        instance = self._instance if self._task is not None else None  # without a task it is being stopped
        if self._renewing:
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

    async def renew(self, reason: str, patience: float) -> bool:
        """Start it anew if it runs, or should: what it works on may end first, for ``patience`` seconds.

        Who asks for it from now on waits for the new process. One that is stopped, also meanwhile, stays so: false.
        """
        task, instance = self._task, self._instance
        if task is None or self.state is ServerState.STOPPED:
            return False
        if instance is not None and self.state is ServerState.READY:
            self._renewing = True
            self._new_attempt()
            try:
                await _drained(instance.connection, patience)
            finally:
                self._renewing = False
            if self._task is not task or self._instance not in (instance, None):
                return self._task is not None  # it was stopped, or has ended and come up anew, meanwhile
        self._task = None
        task.cancel()
        self._track(task)
        self._emit(ServerStopped(server=self.name, reason=reason, session=self._session))
        self.begin(afresh=True)
        return True

    def stop(self, reason: str) -> Coroutine[Any, Any, None]:
        """End it: nobody gets it from now on, and nothing of it is left once what this returns was awaited.

        Who asks for it meanwhile gets a new one, started when this one has ended.
        """
        task, self._task = self._task, None
        running = task is not None and self.state is not ServerState.GAVE_UP
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
            came_up = False
            try:
                self._instance = await self._start(self._era)
                came_up = True
                reason, error = await self._serve(self._instance), None
            except VsmError as failure:
                reason, error = failure.message, failure
            finally:
                await self._drop()
            if not await self._recover(reason, error, ready=came_up):
                return

    async def _serve(self, instance: Instance) -> str:
        """Keep an instance in service until it ends; return why it did."""
        connection = instance.connection
        self._era = connection.era
        self._change(ServerState.READY)
        if not self._ready.done():
            self._ready.set_result(connection)
        since = time.monotonic()
        said = functools.partial(self._listeners.said, self._role.session)
        connection.on_news(self._listeners.updated, None if self._role.session else self._listeners.asking, said)
        for uri in self._listeners.watched:
            connection.watch(uri)
        listing = asyncio.get_running_loop().create_task(self._keep_listed(connection)) if self._role.lists else None
        try:
            return await instance.ended()
        finally:
            if listing is not None:
                listing.cancel()
                await asyncio.wait([listing])
            if time.monotonic() - since >= self._rules.limits.period:
                self._history = ()

    async def _keep_listed(self, connection: Connection) -> None:
        """Ask what the server offers, again whenever it says that this changed; a failure leaves the last answer."""
        self._stale.set()
        if not self._role.session:
            connection.on_change = lambda _kind: self._stale.set()
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                offer = await connection.offer(self._rules.list_timeout)
            except VsmError as error:
                self._reason = f"its tools could not be listed: {error.message}"
                self._stale.set()
                await asyncio.sleep(_LISTING_RETRY_SECONDS)
            else:
                self._reason = ""
                self._listeners.offered(offer)
            await asyncio.sleep(_BETWEEN_LISTINGS_SECONDS)

    async def _recover(self, reason: str, error: VsmError | None, *, ready: bool) -> bool:
        """Take note of a failure; wait until the next start; return false if there is none."""
        if isinstance(error, StartFailed):
            self._last_words = error.stderr_tail
        self._emit(ServerCrashed(server=self.name, reason=reason, session=self._session))
        self._history = remember(self._history, Failure(time.monotonic(), ready), self._rules.limits)
        verdict = decide(self._history, time.monotonic(), self._rules.limits, self._rules.jitter())
        if isinstance(error, UsageError) or _wants_login(error):
            verdict = GiveUp(reason)  # what a person gave is wrong, and stays wrong; or is still to be given
        if isinstance(verdict, GiveUp):
            why = reason if verdict.reason == reason else f"{verdict.reason}; the last time: {reason}"
            self._change(ServerState.GAVE_UP, why)
            self._emit(GaveUp(server=self.name, reason=why, session=self._session))
            self._refuse(error or self._down(why))
            return False
        self._change(ServerState.FAILED, reason)
        if not ready:
            self._refuse(error or self._down(reason))
        if self._ready.done():  # else somebody waits for the next one already
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(verdict.delay):
                    await self._hurry.wait()
            self._new_attempt()
        self._restarts += 1
        return True

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


async def _drained(connection: Connection, patience: float) -> None:
    """Wait until a connection has no calls in flight, or is closed, for ``patience`` seconds at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while connection.calls and not connection.closed.done():  # noqa: ASYNC110 - a call path without events
                await asyncio.sleep(_DRAIN_LOOK_SECONDS)


def _wants_login(error: VsmError | None) -> bool:
    return isinstance(error, ServerDown) and error.cause is not None and error.cause.code == LoginNeeded.code
