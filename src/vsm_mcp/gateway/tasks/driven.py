"""A task that is looked after for a client which knows none: to whoever awaits it, it is a call like any other."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import Any, Final

from msgspec import Raw

from vsm_mcp.errors import RequestTimeout, RpcError, TaskFailed, TransportError, Unreachable, VsmError
from vsm_mcp.gateway.messages import encode
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks.task import LEAST_SECONDS, Task, read
from vsm_mcp.gateway.upstream import Awaited, Channel, result_of
from vsm_mcp.wire.dialogue import Question

_LOOK_SECONDS: Final = 30.0
_CANCEL_SECONDS: Final = 10.0
_MISSES: Final = 3
"""How many looks in a row may fail for a reason that may pass."""

_STEP: Final = 0.001
"""What a new status message counts as progress: so little that whatever a server counts itself later is more."""


class Driven(ABC):
    """Awaited as a call is (:class:`~vsm_mcp.gateway.upstream.Awaited`); ``limit`` (seconds) bounds all of it.

    The task is looked after beside whoever awaits it, so that this goes on while a question waits for a modern client.
    What the server says and asks about the task passes here on its way to the client
    (:class:`~vsm_mcp.wire.dialogue.Dialogue`).
    """

    def __init__(self, channel: Channel, talk: Talk, limit: float) -> None:
        self.client = talk.client
        self.capabilities = talk.capabilities
        self.log_level = talk.log_level
        self.wants_progress = False
        self._channel = channel
        self._talk = talk
        self._limit = limit
        self._seen: Task | None = None
        self._over = False
        self._news = asyncio.Event()
        self._work: asyncio.Task[Raw] | None = None
        self._paused = False
        self._woken: asyncio.Future[None] | None = None
        self._steps = 0
        self._counts = False
        channel.closed.add_done_callback(self._closed)

    # --- what whoever awaits it sees ---------------------------------------------------------------------------------

    async def answer(self) -> Raw | None:
        """Await the result; ``None`` when a question waits for a modern client.

        Raises :class:`TaskFailed`, and what a call raises.
        """
        loop = asyncio.get_running_loop()
        if self._work is None:
            self._work = loop.create_task(self._bounded())
            self._work.add_done_callback(_looked_at)
        while not self._work.done() and not self._paused:
            self._woken = loop.create_future()
            waiting: set[asyncio.Future[Any]] = {self._work, self._woken}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self._work.done():
            return self._work.result()
        self._paused = False
        return None

    def pause(self) -> None:
        """Wake whoever awaits it: the client has to be asked."""
        self._paused = True
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def put_off(self, seconds: float) -> None:
        """Look at the task soon; how long it may take is up to the limit alone."""
        self._news.set()

    def give_up(self) -> None:
        """Cancel the task at the server unless it has ended. Idempotent."""
        if self._work is not None:
            self._work.cancel()
        self._leave()

    # --- what the server says and asks -------------------------------------------------------------------------------

    def notified(self, method: str, params: Raw) -> None:
        """Pass on what is meant for the client; news of the task are for us."""
        if method.startswith("notifications/tasks"):
            self._news.set()
            return
        self._counts = self._counts or method == "notifications/progress"
        self._talk.notified(method, params)

    def asked(self, question: Question) -> None:
        """Ask the client."""
        self._talk.asked(question)

    # --- looking after it --------------------------------------------------------------------------------------------

    @abstractmethod
    async def _end(self) -> Raw:
        """See the task to its end; returns its result."""

    @property
    @abstractmethod
    def _cancellable(self) -> bool:
        """Whether the server takes ``tasks/cancel``."""

    async def _bounded(self) -> Raw:
        try:
            async with asyncio.timeout(self._limit):
                result = await self._end()
        except TimeoutError:
            raise RequestTimeout(f"its task did not end within {self._limit:g} s") from None
        else:
            self._over = True
            return result
        finally:
            self._leave()

    async def _look(self) -> Task:
        """Ask how the task is; what may pass is tried again. Raises :class:`TaskFailed` where it is lost."""
        missed = 0
        while True:
            try:
                seen = read(await result_of(self._begin("tasks/get", _LOOK_SECONDS)))
            except RpcError as error:
                raise TaskFailed(f"its server says nothing of the task any more: {error.message}") from error
            except Unreachable as error:
                missed += 1
                if missed == _MISSES or not error.retryable or self._channel.closed.done():
                    raise
                await self._rest(LEAST_SECONDS)
            else:
                return self._saw(seen)

    async def _rest(self, seconds: float) -> None:
        """Wait until the next look is due, which news bring forward. Raises :class:`TransportError`."""
        await asyncio.wait({self._channel.closed}, timeout=LEAST_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - LEAST_SECONDS):
                await self._news.wait()
        self._news.clear()
        if self._channel.closed.done():
            raise TransportError(self._channel.closed.result())

    def _saw(self, seen: Task) -> Task:
        """Take note of a look at the task; what it says anew is progress, unless the server counts that itself."""
        is_new = self._seen is None or self._seen.message != seen.message
        if seen.message and is_new and not seen.ended and not self._counts:
            self._steps += 1
            told = {"progress": round(self._steps * _STEP, 3), "message": seen.message}
            self._talk.notified("notifications/progress", Raw(encode(told)))
        self._seen = seen
        return seen

    def _begin(self, method: str, seconds: float, **params: object) -> Awaited:
        """Ask something about the task."""
        ident = "" if self._seen is None else self._seen.ident
        return self._channel.begin(method, {"taskId": ident, **params}, timeout=seconds, dialogue=self)

    def _leave(self) -> None:
        """Cancel the task at the server, unless there is none or it has ended; once."""
        self._channel.closed.remove_done_callback(self._closed)
        if self._over or self._seen is None:
            return
        self._over = True
        if not self._seen.ended and self._cancellable and not self._channel.closed.done():
            with contextlib.suppress(VsmError):  # a courtesy
                params = {"taskId": self._seen.ident}
                call = self._channel.begin("tasks/cancel", params, timeout=_CANCEL_SECONDS, dialogue=self)
                call.when_settled(call.give_up)

    def _closed(self, _why: asyncio.Future[str]) -> None:
        self._news.set()


def _looked_at(work: asyncio.Task[Raw]) -> None:
    if not work.cancelled():
        work.exception()  # nobody may be waiting any more
