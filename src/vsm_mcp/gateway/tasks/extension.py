"""A task of a modern server, driven: polled to its end, its questions asked and answered.

SEP-2663, "Tasks Extension".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import MissingValue, ProtocolError, RpcError, TaskFailed
from vsm_mcp.gateway.messages import decode_object, encode
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks.driven import Driven
from vsm_mcp.gateway.tasks.task import Task
from vsm_mcp.gateway.upstream import Channel, result_of
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import envelope
from vsm_mcp.wire.dialogue import Question

_UPDATE_SECONDS: Final = 30.0
_MAX_KEYS: Final = 1024
"""How much one task may ask in all."""

_CLIENT: Final = "give what it asks for as an argument, or use a client that can be asked"
_COMPLETE: Final = Raw(b'"complete"')
_decode_key: Final = msgspec.json.Decoder(str).decode


class ExtensionTask(Driven):
    """A task that a modern server made of a call; ``made`` is what it said of it."""

    def __init__(self, channel: Channel, talk: Talk, made: Task, limit: float) -> None:
        super().__init__(channel, talk, limit)
        self._open: dict[str, Question] = {}
        self._asked: set[str] = set()
        self._given: dict[str, Raw] = {}
        self._refused = ""
        self._saw(made)

    @property
    def _cancellable(self) -> bool:
        return True

    async def _end(self) -> Raw:
        task = self._seen
        if task is None or task.status != "working":
            task = await self._look()  # what makes a task says neither what it asks nor how it ended
        while not task.ended:
            self._put(task)
            await self._rest(task.interval)
            await self._pass_answers()
            task = await self._look()
        if task.status == "failed" and bytes(task.error):
            raise envelope.read_error(task.error)
        if task.status != "completed":
            what = "the server cancelled its task" if task.status == "cancelled" else "the task failed"
            raise TaskFailed(what + (f": {task.message}" if task.message else ""))
        return _complete(task.result)

    # --- questions ---------------------------------------------------------------------------------------------------

    def _put(self, task: Task) -> None:
        """Ask the client what it was not asked yet; keys are good for one question ("Task Update Requests")."""
        for key in self._open.keys() - task.asks.keys():
            self._open.pop(key).withdraw()
        for key, ask in task.asks.items():
            if key in self._asked:
                continue
            if len(self._asked) == _MAX_KEYS:
                raise ProtocolError(f"the task asked {_MAX_KEYS} things and did not come to an end")
            self._asked.add(key)
            question = self._open[key] = Question(Raw(encode(key)), ask.method, ask.params, self._answer, self._refuse)
            self._talk.asked(question)

    def _answer(self, key: Raw, result: bytes | Raw) -> None:
        self._open.pop(_decode_key(key), None)
        self._given[_decode_key(key)] = Raw(bytes(result))
        self._news.set()

    def _refuse(self, key: Raw, _code: int, message: str, _data: bytes | None) -> None:
        self._open.pop(_decode_key(key), None)
        self._refused = message
        self._news.set()

    async def _pass_answers(self) -> None:
        """Give the server what the client said. Raises :class:`MissingValue` where it said nothing."""
        if self._refused:
            raise MissingValue(f"its task asks its client for something that it did not get: {self._refused}", _CLIENT)
        given, self._given = self._given, {}
        if given:
            try:
                await result_of(self._begin("tasks/update", _UPDATE_SECONDS, inputResponses=given))
            except RpcError as error:
                raise TaskFailed(f"its server did not take the answers: {error.message}") from error


def _complete(result: Raw) -> Raw:
    """Return the result as that of a call, which says that it is complete."""
    try:
        members = decode_object(result)
    except UNREADABLE as error:
        raise ProtocolError("the server's task ended with a result that is no object") from error
    if members.get("resultType", _COMPLETE) != _COMPLETE:
        raise ProtocolError("the server's task ended with something that is not the end of it")
    return result if "resultType" in members else Raw(encode({"resultType": _COMPLETE, **members}))
