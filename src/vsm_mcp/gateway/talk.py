"""The client's side of one call at a server: what the server says and asks in the middle of it, in the client's era."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from msgspec import Raw

from vsm_mcp.errors import RequestTimeout, RpcError, VsmError
from vsm_mcp.gateway import capabilities, messages
from vsm_mcp.gateway.caller import Caller, severe_enough
from vsm_mcp.gateway.capabilities import Capabilities
from vsm_mcp.gateway.messages import Request, decode_object, encode
from vsm_mcp.gateway.rounds import METHODS, Ask
from vsm_mcp.gateway.upstream import Awaited
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era
from vsm_mcp.wire.dialogue import Question
from vsm_mcp.wire.inbox import QUESTION_SECONDS

_GATHER_SECONDS: Final = 0.02
_URL: Final = Raw(b'"url"')
_NOTHING: Final[Mapping[str, Any]] = {}


class Talk:
    """A :class:`~vsm_mcp.wire.dialogue.Dialogue` on behalf of one caller.

    A client of the handshake versions is asked at once, on the stream of its call. For a modern one the questions are
    kept, and whoever awaits the call is woken to ask them in a result. ``lacking`` is what the server wanted of a
    client that cannot give it, ``touched`` whether the server asked, or made progress that the client heard of.
    """

    __slots__ = (
        "_caller", "_may_ask", "_open", "_token", "call", "capabilities", "lacking", "log_level", "touched",
        "wants_progress",
    )  # fmt: skip

    def __init__(self, request: Request, caller: Caller) -> None:
        self.capabilities: Capabilities = caller.capabilities(request)
        self.log_level = caller.log_level(request)
        self.call: Awaited | None = None
        self._caller = caller
        self._may_ask = request.method in METHODS
        self._token = request.token
        self.wants_progress = self._token is not None and caller.back is not None
        self._open: _Open | None = None
        self.lacking: Mapping[str, Any] = _NOTHING
        self.touched = False

    @property
    def client(self) -> str:
        """What tells the client from others: one without a line or a session of its own is another one every time."""
        return self._caller.who or f"{id(self):x}"

    # --- what the server says --------------------------------------------------------------------------------------

    def notified(self, method: str, params: Raw) -> None:
        """Pass a notification on to the client, under the token that it knows."""
        back = self._caller.back
        if back is None:
            return
        if method == "notifications/message":
            if severe_enough(params, self.log_level):
                back.notify(messages.notification(method, bytes(params)))
        elif self._token is not None:
            try:
                members = decode_object(params)
            except UNREADABLE:
                return
            self.touched = True
            back.notify(messages.notification(method, encode({**members, "progressToken": self._token})))

    def tell(self, message: bytes) -> None:
        """Send the client one whole message, if anything reaches it now."""
        if self._caller.back is not None:
            self._caller.back.notify(message)

    # --- what the server asks --------------------------------------------------------------------------------------

    def asked(self, question: Question) -> None:
        """Ask the client, or say why it cannot be asked."""
        self.touched = True
        lacking = capabilities.missing(question.method, question.params, self.capabilities)
        if lacking is not None:
            self.lacking = {**self.lacking, **lacking}
            what = ", ".join(lacking) or question.method[:100]
            question.refuse(era.METHOD_NOT_FOUND, f"Method not found: the client of this call has no {what}")
        elif self._caller.modern:
            self._keep(question)
        else:
            self._opened().relay(question, self._relay(question))

    def _keep(self, question: Question) -> None:
        if not self._may_ask or self.call is None:
            return question.refuse(era.METHOD_NOT_FOUND, "Method not found: nothing can be asked during this request")
        opened = self._opened()
        opened.keep(question)
        if opened.gathering is None:  # a server may ask several things side by side
            opened.gathering = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._ask_now)
        return None

    def _ask_now(self) -> None:
        opened = self._opened()
        opened.gathering = None
        if opened.waiting and self.call is not None:
            self.call.pause()

    def _opened(self) -> _Open:
        if self._open is None:
            self._open = _Open()
        return self._open

    async def _relay(self, question: Question) -> None:
        try:
            question.answer(await self.put(Ask(question.method, question.params or Raw(b"{}"))))
        except RpcError as error:
            question.refuse(error.rpc_code, error.message, error.data)
        except VsmError as error:
            question.refuse(era.INTERNAL_ERROR, error.message)

    async def put(self, ask: Ask) -> Raw:
        """Ask a client of the handshake versions and await its result, for ten minutes at most.

        Raises :class:`RpcError` for a client's error, :class:`RequestTimeout` and :class:`TransportError`.
        """
        session, back = self._caller.session, self._caller.back
        if session is None or back is None:
            raise RpcError(era.METHOD_NOT_FOUND, "Method not found: the client of this call takes no questions")
        params = _in_old_words(ask)
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                return await session.questions.put(ask.method, params, back.put)
        except TimeoutError:
            raise RequestTimeout(f"the client did not answer {ask.method} in time") from None

    # --- a modern client's rounds ----------------------------------------------------------------------------------

    @property
    def open(self) -> dict[str, Ask]:
        """The questions that wait for a modern client, by key."""
        waiting = {} if self._open is None else self._open.waiting
        return {key: Ask(question.method, question.params or Raw(b"{}")) for key, question in waiting.items()}

    def resume(self, request: Request, caller: Caller, answers: Mapping[str, Raw]) -> None:
        """Go on in the name of the client's next request, which answers questions; those not answered stay open."""
        self._caller = caller
        self._token = request.token
        self.log_level = caller.log_level(request)
        waiting = {} if self._open is None else self._open.waiting
        for key, answer in answers.items():
            question = waiting.pop(key, None)
            if question is not None:
                question.answer(answer)

    def rest(self) -> None:
        """Say nothing to the client until it comes back."""
        self._caller = self._caller.silent()

    def close(self) -> None:
        """End it: nobody is asked any more."""
        self.call = None
        if self._open is not None:
            self._open.close()


class _Open:
    """The questions of one call that are open: made with the first, because most calls have none.

    ``waiting`` holds those that a modern client is asked when it is told of them, by key; ``gathering`` is the timer
    until then.
    """

    __slots__ = ("_count", "_relays", "gathering", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[str, Question] = {}
        self.gathering: asyncio.TimerHandle | None = None
        self._count = 0
        self._relays: set[asyncio.Task[None]] = set()

    def relay(self, question: Question, relaying: Coroutine[Any, Any, None]) -> None:
        """Answer a question by ``relaying``, until the server takes it back."""
        task = asyncio.get_running_loop().create_task(relaying)
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        question.on_withdrawn = lambda: _stop(task)

    def keep(self, question: Question) -> None:
        """Keep a question for the client, until the server takes it back."""
        self._count += 1
        key = f"q{self._count}"
        self.waiting[key] = question
        question.on_withdrawn = lambda: _drop(self.waiting, key)

    def close(self) -> None:
        """End it: nobody is asked any more."""
        if self.gathering is not None:
            self.gathering.cancel()
            self.gathering = None
        for task in tuple(self._relays):
            task.cancel()
        for question in tuple(self.waiting.values()):
            question.refuse(era.INTERNAL_ERROR, "the client did not answer")
        self.waiting.clear()


def _drop(waiting: dict[str, Question], key: str) -> None:
    waiting.pop(key, None)


def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()


def _in_old_words(ask: Ask) -> Raw:
    """Return the params as the handshake versions have them: a visit to a URL has an id there (2025-11-25)."""
    if ask.method != "elicitation/create":
        return ask.params
    try:
        members = decode_object(ask.params)
    except UNREADABLE:
        return ask.params
    if members.get("mode") != _URL or "elicitationId" in members:
        return ask.params
    return Raw(encode({**members, "elicitationId": secrets.token_hex(8)}))
