"""What a server says: each message goes to the call, the client or the listener that it is meant for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import envelope, era
from vsm_mcp.wire.call import Call
from vsm_mcp.wire.dialogue import Question
from vsm_mcp.wire.envelope import Message
from vsm_mcp.wire.pending import Pending, number

OnChange = Callable[[str], None]

QUESTION_SECONDS: Final = 600.0
"""How long a call may wait while its client thinks about a question."""

_CHANGES: Final = {
    "notifications/tools/list_changed": "tools",
    "notifications/resources/list_changed": "resources",
    "notifications/prompts/list_changed": "prompts",
}
_MAX_QUESTIONS: Final = 64


_NEWS_OF_TASKS: Final = frozenset({"notifications/tasks", "notifications/tasks/status"})
_RELATED: Final = re.compile(re.escape(era.META_RELATED_TASK.encode()))


class _About(msgspec.Struct):
    progressToken: Raw = Raw(b"null")  # noqa: N815 - the protocol's spelling
    requestId: Raw = Raw(b"null")  # noqa: N815
    uri: Raw = Raw(b"null")


class _Task(msgspec.Struct, frozen=True):
    taskId: str  # noqa: N815


class _Meta(msgspec.Struct, frozen=True, rename={"task": era.META_RELATED_TASK, "subscription": era.META_SUBSCRIPTION}):
    task: _Task | None = None
    subscription: Raw = Raw(b"null")


class _Related(msgspec.Struct, rename={"meta": "_meta"}):
    meta: _Meta = _Meta()
    taskId: str = ""  # noqa: N815


_decode_about: Final = msgspec.json.Decoder(_About).decode
_decode_related: Final = msgspec.json.Decoder(_Related).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class Out(Protocol):
    """The way back to the server."""

    era: Any

    @property
    def can_push(self) -> bool:
        """Whether a message that is no request can be sent."""
        ...

    def respond(self, data: bytes) -> None:
        """Send a response soon."""
        ...


class Inbox:
    """Dispatches the messages of one connection.

    ``on_change`` is called with ``tools``, ``resources`` or ``prompts`` when a list changed, ``on_updated`` with the
    URI of a resource that did, ``on_asking`` when the server asks a client over a pipe that clients share, ``on_said``
    with method and params of what it says outside of any call.
    """

    def __init__(self, pending: Pending, out: Out) -> None:
        self.on_change: OnChange | None = None
        self.on_updated: Callable[[str], None] | None = None
        self.on_asking: Callable[[], None] | None = None
        self.on_said: Callable[[str, Raw], None] | None = None
        self._pending = pending
        self._out = out
        self._questions: dict[bytes, Question] = {}

    def deliver(self, line: bytes, origin: int | None = None) -> bool:
        """Take one message; says whether it answered a call.

        ``origin`` is the id of the call whose stream or body carried it, where the transport knows. Raises
        :class:`ProtocolError` for what is no message; a call that it was meant to answer fails with that.
        """
        try:
            message = envelope.read(line)
        except ProtocolError as error:
            if not line.lstrip().startswith(b"["):
                self._pending.spoilt(envelope.answered(line), error)
                raise
            parts = [envelope.read(part) for part in envelope.read_batch(line)]
            return sum(self._dispatch(part, origin) for part in parts) > 0
        return self._dispatch(message, origin)

    def changed(self, kind: str) -> None:
        """Tell whoever listens that a list changed."""
        if self.on_change is not None:
            _tell(self.on_change, kind)

    def close(self) -> None:
        """Take every open question back: nobody waits for its answer any more."""
        questions, self._questions = self._questions, {}
        for question in questions.values():
            question.withdraw()

    def _dispatch(self, message: Message, origin: int | None) -> bool:
        method = message.method
        if method is None:
            return self._answered(message)
        if message.id is not None:
            self._asked(message.id, method, message.params, origin)
        elif method in _CHANGES:
            self.changed(_CHANGES[method])
        elif message.params is not None:
            self._notified(method, message.params, origin)
        return False

    def _answered(self, message: Message) -> bool:
        """Hand an answer on; a complaint without an id can only be about the one request that waits.

        JSON-RPC 2.0, section 5: the id is ``null`` in the answer to a request that could not be read.
        """
        ident = message.id
        if message.error is not None and ident is not None and bytes(ident) == b"null":
            return _is_parse_error(message.error) and self._pending.only_answered(message)
        return ident is not None and self._pending.answered(ident, message)

    # --- notifications -------------------------------------------------------------------------------------------

    def _notified(self, method: str, params: Raw, origin: int | None) -> None:
        if method == "notifications/message":
            return self._logged(method, params, origin)
        if method == "notifications/elicitation/complete":
            return self._said(method, params)
        if method in _NEWS_OF_TASKS:
            return self._task_changed(method, params, origin)
        try:
            about = _decode_about(params)
        except UNREADABLE:
            return None
        if method == "notifications/progress":
            call = self._pending.get(number(about.progressToken))
            if call is not None and call.dialogue is not None:
                call.put_off(call.timeout)
                self._tell_call(call, method, params)
        elif method == "notifications/cancelled":
            self._cancelled(about.requestId)
        elif method == "notifications/resources/updated" and self.on_updated is not None:
            _tell(self.on_updated, _text(about.uri))
        return None

    def _logged(self, method: str, params: Raw, origin: int | None) -> None:
        call = self._call_of(origin, params)
        if call is not None:
            self._tell_call(call, method, params)
        elif not self._pending.in_dialogue():  # else it may be about one of several calls, and nothing tells which
            self._said(method, params)

    def _said(self, method: str, params: Raw) -> None:
        if self.on_said is not None and self._out.era == "legacy":
            _tell(self.on_said, method, params)

    def _task_changed(self, method: str, params: Raw, origin: int | None) -> None:
        """Tell the call that a task is about, or the subscription that asked for the news (SEP-2663)."""
        try:
            related = _decode_related(params)
        except UNREADABLE:
            return
        if method == "notifications/tasks":
            call = self._pending.get(number(related.meta.subscription) if origin is None else origin)
        else:
            call = self._pending.about(related.taskId)
        if call is not None:
            self._tell_call(call, method, params)

    def _cancelled(self, ident: Raw) -> None:
        question = self._questions.pop(bytes(ident), None)
        if question is not None:
            question.withdraw()
        else:  # only a subscription is a server's to cancel (specification 2026-07-28, "Cancellation")
            self._pending.release(ident)

    @staticmethod
    def _tell_call(call: Call, method: str, params: Raw) -> None:
        if call.dialogue is not None:
            _tell(call.dialogue.notified, method, params)

    # --- questions -----------------------------------------------------------------------------------------------

    def _asked(self, ident: Raw, method: str, params: Raw | None, origin: int | None) -> None:
        if not self._out.can_push:
            return None
        if method == "ping":
            return self._out.respond(envelope.response(ident, {}))
        call = self._call_of(origin, params) if self._out.era == "legacy" else None
        if call is None or call.dialogue is None:
            return self._refuse(ident, era.METHOD_NOT_FOUND, "Method not found: no client is there to be asked", None)
        if len(self._questions) >= _MAX_QUESTIONS:
            return self._refuse(ident, era.INTERNAL_ERROR, "too many questions are open", None)
        question = Question(ident, method, params, self._answer, self._refuse)
        self._questions[bytes(ident)] = question
        call.put_off(QUESTION_SECONDS)
        _tell(call.dialogue.asked, question)
        if question.open and origin is None and call.task is None:
            self._shared()
        return None

    def _call_of(self, origin: int | None, params: Raw | None) -> Call | None:
        """Return the call that a message belongs to, or ``None`` when that cannot be told.

        What concerns a task names it (specification 2025-11-25, "Tasks: Associating Task-Related Messages").
        """
        task = _related_task(params)
        if task:
            call = self._pending.about(task)
            if call is not None or origin is None:
                return call
        if origin is not None:
            return self._pending.get(origin)
        calls = self._pending.in_dialogue()
        if not calls:
            return None
        if len({call.dialogue.client for call in calls if call.dialogue is not None}) > 1:
            self._shared()
            return None
        return calls[-1]

    def _shared(self) -> None:
        """Say that this server asks, and that nothing but there being one client tells whom."""
        if self.on_asking is not None:
            _tell(self.on_asking)

    def _answer(self, ident: Raw, result: bytes | Raw) -> None:
        self._questions.pop(bytes(ident), None)
        self._out.respond(envelope.response(ident, result))

    def _refuse(self, ident: Raw, code: int, message: str, data: bytes | None) -> None:
        self._questions.pop(bytes(ident), None)
        self._out.respond(envelope.error(ident, code, message, data))


def _related_task(params: Raw | None) -> str:
    if params is None or _RELATED.search(params) is None:
        return ""
    try:
        task = _decode_related(params).meta.task
    except UNREADABLE:
        return ""
    return "" if task is None else task.taskId


def _is_parse_error(error: Raw) -> bool:
    return envelope.read_error(error).rpc_code == era.PARSE_ERROR


def _tell(listener: Callable[..., None], *news: object) -> None:
    try:
        listener(*news)
    except Exception as error:  # noqa: BLE001 - a listener's mistake must not break everybody's connection
        context = {"message": "a listener of a connection failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)


def _text(value: Raw) -> str:
    try:
        return _decode_text(value)
    except UNREADABLE:
        return ""
