"""One server under supervision: one task runs it, restarts it, and gives up on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from vsm_mcp.errors import ServerDown, UsageError, VsmError
from vsm_mcp.events import Emit, GaveUp, ServerCrashed, ServerStopped, ToolsChanged
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.process import Instance, StartFailed
from vsm_mcp.runtime.restart import Failure, GiveUp, Limits, decide, remember
from vsm_mcp.wire.connection import Connection

_BETWEEN_LISTINGS_SECONDS: Final = 0.5
_LISTING_RETRY_SECONDS: Final = 10.0

Start = Callable[[str | None], Awaitable[Instance]]
"""Starts one instance; takes the era that is known, raises :class:`VsmError`."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one server now.

    ``since`` is when it took on ``state`` (seconds since the epoch); ``restarts`` counts those since it was added.
    ``reason`` says why it is not ready, or what went wrong last.
    """

    name: str
    state: ServerState
    pid: int | None = None
    tier: str = ""
    era: str = ""
    restarts: int = 0
    since: float = 0.0
    reason: str = ""
    stderr_tail: tuple[str, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How servers are treated: the intensity limit, the deadline of a listing, and where chance comes from."""

    limits: Limits
    list_timeout: float
    jitter: Callable[[], float]


class Unit:
    """The state of one server. All methods belong to the event loop it was made in."""

    def __init__(
        self, name: str, start: Start, rules: Rules, emit: Emit, offered: Callable[[str, Offer], None]
    ) -> None:
        self.name = name
        self.state = ServerState.STOPPED
        self.offer: Offer | None = None
        self.watched: set[str] = set()
        self.on_news: tuple[Callable[[str], None] | None, Callable[[], None] | None] = (None, None)
        self._start = start
        self._rules = rules
        self._emit = emit
        self._offered = offered
        self._task: asyncio.Task[None] | None = None
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
        )

    def begin(self, *, afresh: bool = False) -> None:
        """See to it that it runs; ``afresh`` forgets its failures, also if it was given up."""
        if afresh:
            self._history = ()
        if self._task is None or self._task.done():
            self._new_attempt()
            self._change(ServerState.STARTING)
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"server {self.name}")
        else:
            self._hurry.set()

    @property
    def ready(self) -> Connection | None:
        """The open connection, if it runs."""
        instance = self._instance
        if self.state is ServerState.READY and instance is not None and not instance.connection.closed.done():
            return instance.connection
        return None

    async def connection(self, seconds: float) -> Connection:
        """Return an open connection, starting it if need be. Raises :class:`ServerDown`, saying why there is none."""
        ready = self.ready
        if ready is not None:
            return ready
        if self.state is ServerState.GAVE_UP:
            raise self._down(f"it was given up: {self._reason}")
        if self.state in {ServerState.FAILED, ServerState.READY}:
            self._new_attempt()  # READY: it has just broken, and its task does not know yet
        self.begin()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise self._down(f"it was not ready within {seconds:g} s") from None

    def watch(self, uri: str) -> None:
        """Have a resource watched, in this instance and in those after it. Idempotent."""
        self.watched.add(uri)
        if self._instance is not None:
            self._instance.connection.watch(uri)

    def unwatch(self, uri: str) -> None:
        """Have a resource watched no longer. Idempotent."""
        self.watched.discard(uri)
        if self._instance is not None:
            self._instance.connection.unwatch(uri)

    async def stop(self, reason: str) -> None:
        """End it; nothing of it is left then."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self.state is not ServerState.STOPPED:
            if self.state is not ServerState.GAVE_UP:
                self._emit(ServerStopped(server=self.name, reason=reason))
            self._change(ServerState.STOPPED, reason)
        self._refuse(ServerDown(f"{self.name} was stopped: {reason}"))

    # --- the one task ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
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
        self._stale.set()
        connection.on_change = lambda _kind: self._stale.set()
        connection.on_news(*self.on_news)
        for uri in self.watched:
            connection.watch(uri)
        listing = asyncio.get_running_loop().create_task(self._keep_listed(connection))
        try:
            return await instance.ended()
        finally:
            listing.cancel()
            await asyncio.wait([listing])
            if time.monotonic() - since >= self._rules.limits.period:
                self._history = ()

    async def _keep_listed(self, connection: Connection) -> None:
        """Ask what the server offers, again whenever it says that this changed; a failure leaves the last answer."""
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
                changed = self.offer is not None and self.offer != offer
                self.offer = offer
                self._offered(self.name, offer)
                if changed:
                    self._emit(ToolsChanged(server=self.name))
            await asyncio.sleep(_BETWEEN_LISTINGS_SECONDS)

    async def _recover(self, reason: str, error: VsmError | None, *, ready: bool) -> bool:
        """Take note of a failure; wait until the next start; return false if there is none."""
        if isinstance(error, StartFailed):
            self._last_words = error.stderr_tail
        self._emit(ServerCrashed(server=self.name, reason=reason))
        self._history = remember(self._history, Failure(time.monotonic(), ready), self._rules.limits)
        verdict = decide(self._history, time.monotonic(), self._rules.limits, self._rules.jitter())
        if isinstance(error, UsageError):
            verdict = GiveUp(reason)  # what a person gave is wrong, and stays wrong
        if isinstance(verdict, GiveUp):
            why = reason if verdict.reason == reason else f"{verdict.reason}; the last time: {reason}"
            self._change(ServerState.GAVE_UP, why)
            self._emit(GaveUp(server=self.name, reason=why))
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
            await asyncio.shield(instance.stop())
            self._last_words = instance.stderr_tail

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
