"""A task of a handshake server, driven: made, polled, its result fetched, its questions asked.

Specification 2025-11-25, "Tasks".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from msgspec import Raw

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError, TaskFailed
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks import related, support
from vsm_mcp.gateway.tasks.driven import Driven
from vsm_mcp.gateway.tasks.making import Making
from vsm_mcp.gateway.tasks.task import made
from vsm_mcp.gateway.upstream import Awaited, Call, Channel
from vsm_mcp.wire import era
from vsm_mcp.wire.dialogue import Question


class HandshakeTask(Driven):
    """A call of a tool that can only be a task.

    ``params`` are those of the call. It may take ``seconds`` to be made a task of, and again to give its result.
    """

    def __init__(
        self, channel: Channel, talk: Talk, params: Mapping[str, object], seconds: float, limit: float
    ) -> None:
        super().__init__(channel, talk, limit)
        self._params = params
        self._seconds = seconds
        self._first: Call | None = None
        self._fetching: Awaited | None = None

    def give_up(self) -> None:
        """Cancel the task at the server unless it has ended. Idempotent."""
        super().give_up()
        if self._first is not None:
            self._first.give_up()
        if self._fetching is not None:
            self._fetching.give_up()

    def notified(self, method: str, params: Raw) -> None:
        """Pass on what is meant for the client, which knows of no task."""
        super().notified(method, related.stripped(params))

    def asked(self, question: Question) -> None:
        """Ask the client, which knows of no task."""
        if self._seen is not None:
            params = related.stripped(question.params or Raw(b"{}"))
            question = related.translated(question, params, self._seen.ident)
        super().asked(question)

    @property
    def _cancellable(self) -> bool:
        return support.cancels(self._channel.capabilities)

    async def _end(self) -> Raw:
        result = await self._make()
        task = self._seen
        if task is None:
            return result  # the server did it at once, whatever its tool says
        while not task.ended:
            if task.status == "input_required" and self._fetching is None:
                # What it asks comes on the stream of this request ("Input Required Status"), and so does the result.
                self._fetching = self._begin("tasks/result", self._limit)
            if self._fetching is None:
                await self._rest(task.interval)
            elif (raw := await self._fetched(self._fetching, task.interval)) is not None:
                return raw
            task = await self._look()
        if task.status == "cancelled":
            raise TaskFailed("the server cancelled its task" + (f": {task.message}" if task.message else ""))
        if self._fetching is None:
            self._fetching = self._begin("tasks/result", self._limit)
        ended = await self._fetched(self._fetching, self._seconds)
        if ended is None:
            raise RequestTimeout(f"its task has ended, but gave no result within {self._seconds:g} s")
        return ended

    async def _make(self) -> Raw:
        """Call the tool as a task, and ask for it to be kept as long as it may take."""
        params = {**self._params, "task": {"ttl": int(self._limit * 1000)}}
        self.wants_progress = self._talk.wants_progress
        call = self._first = self._channel.begin(
            "tools/call", params, timeout=self._seconds, limit=self._limit, dialogue=self
        )
        self.wants_progress = False
        making = Making(call, self._made)
        while (raw := await making.answer()) is None:
            pass
        if self._seen is None:
            made(raw, modern=False)  # raises for a task that cannot be read
        return raw

    def _made(self, call: Call, result: Raw) -> None:
        with contextlib.suppress(ProtocolError):
            task = made(result, modern=False)
            if task is not None:
                call.about(self._saw(task).ident, self)

    async def _fetched(self, fetching: Awaited, seconds: float) -> Raw | None:
        """Await the result for some seconds. Raises :class:`TaskFailed` where it is an error."""
        try:
            async with asyncio.timeout(seconds):
                raw = await fetching.answer()
        except TimeoutError:
            return None
        except RpcError as error:
            if error.rpc_code == era.URL_ELICITATION_REQUIRED:
                raise  # a condition of the call, not a failure of the task
            said = self._seen.message if self._seen is not None else ""
            raise TaskFailed(f"its task failed: {said or error.message}") from error
        return None if raw is None else related.stripped(raw)
