"""A call of a server that no task waits for: almost every call is asked and answered between two turns of the loop.

Only what does not end in a plain result (a question, an error, a task) gets a task, which finishes it.
"""

from __future__ import annotations

import abc
import asyncio
import logging

from vsm_mcp.gateway import messages
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.flights import Key
from vsm_mcp.gateway.gateway import Answer, Gateway
from vsm_mcp.model.ending import Ending

log = logging.getLogger(__name__)


class Errand(abc.ABC):
    """One call on its way, from :meth:`begin` to :meth:`_ended`, which is called exactly once.

    ``task`` finishes it, where that takes one.
    """

    __slots__ = ("_asked", "_gateway", "_key", "task")

    def __init__(self, gateway: Gateway, asked: Asked) -> None:
        self._gateway = gateway
        self._asked = asked
        self._key: Key | None = None
        self.task: asyncio.Task[None] | None = None

    def begin(self, key: Key | None) -> None:
        """Wait for the answer; ``key`` is what the client may take its request back by."""
        if key is not None:
            self._key = key
            self._gateway.flights.enter(key, self.withdraw)
        self._asked.begun.when_settled(self._settled)

    def give_up(self) -> None:
        """Give the call up; nobody is answered."""
        if self.task is not None:
            self.task.cancel()
        else:
            self._asked.begun.when_settled(None)
            self._asked.end(Ending.GIVEN_UP)
            self._asked.close()
            self._end()

    def withdraw(self) -> None:
        """Give the call up because its client took its request back."""
        self.give_up()

    @abc.abstractmethod
    def _say(self, answer: Answer) -> None:
        """Answer the client."""

    @abc.abstractmethod
    def _ended(self) -> None:
        """Take note that it is over, answered or not."""

    def _settled(self) -> None:
        asked = self._asked
        body = asked.plain()
        if body is None:
            self.task = asyncio.get_running_loop().create_task(self._finish())
            self.task.add_done_callback(self._finished)
            return
        asked.close()
        self._say(Answer(messages.result(asked.request.id, body)))
        self._end()

    async def _finish(self) -> None:
        try:
            self._say(await self._gateway.finish(self._asked))
        except Exception:  # a fault of ours costs one request, not the gateway
            log.exception("a request was not answered")

    def _finished(self, task: asyncio.Task[None]) -> None:
        """The task is over; one that was cancelled may never have begun."""
        if task.cancelled():
            self._asked.end(Ending.GIVEN_UP)
            self._asked.close()
        self._end()

    def _end(self) -> None:
        if self._key is not None:
            self._gateway.flights.leave(self._key)
        self._ended()
