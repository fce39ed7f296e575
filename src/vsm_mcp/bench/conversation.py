"""One MCP conversation of the measuring client: a handshake version, over any line.

Calls take the short way: a number, a callback, no task and no future, so that little is measured but the other side.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.bench.question import DOUBLED
from vsm_mcp.bench.tally import Tally
from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError, TransportError
from vsm_mcp.wire import era

ANSWER_SECONDS: Final = 30.0
"""How long an answer may take before it counts as lost."""

_PAGES: Final = 200
_now = time.perf_counter
numbers: Final = itertools.count(1)
"""The ids of all requests of this process: an answer that strays to another conversation is known by its id."""

Answered = Callable[["Answer | None", str, float], None]
"""Called with the answer (``None`` for none), why there is none, and the moment (``perf_counter``) it was complete."""


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class Answer(msgspec.Struct):
    """The envelope of what came: ``result`` is raw JSON, empty for an error."""

    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: _Error | None = None


_read: Final = msgspec.json.Decoder(Answer)


class Listener(Protocol):
    """Who hears what comes over a line."""

    def received(self, message: bytes, moment: float) -> None:
        """Take one message; ``moment`` is when its last byte came."""

    def refused(self, why: str, moment: float) -> None:
        """Take it that what was asked was refused without a message."""

    def broken(self, why: str) -> None:
        """Take it that nothing will come for what was asked."""


class Line(Protocol):
    """Bytes to and from one server; it is made with the listener that hears what comes."""

    closed: bool

    def send(self, message: bytes) -> None:
        """Send one message."""

    def agree(self, version: str) -> None:
        """Note the version that the handshake agreed on."""

    def close(self) -> None:
        """Take leave; idempotent."""


Connect = Callable[[Listener], Awaitable[Line]]


class Conversation:
    """What is asked over a line and what comes back.

    ``tally`` counts answers that nobody waits for: an answer under a foreign number is one too many, and the call whose
    answer it should have been is lost.
    """

    line: Line

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._pending: dict[int, Answered] = {}
        self._given_up: set[int] = set()

    @classmethod
    async def over(cls, connect: Connect, tally: Tally) -> Conversation:
        """Connect and shake hands. Raises what ``connect`` does, and as :meth:`request` does."""
        conversation = cls(tally)
        conversation.line = line = await connect(conversation)
        try:
            await conversation._shake_hands()
        except BaseException:
            line.close()
            raise
        return conversation

    async def _shake_hands(self) -> None:
        params = {
            "protocolVersion": era.LATEST_HANDSHAKE,
            "capabilities": {},
            "clientInfo": {"name": "vsm-mcp-bench", "version": "1"},
        }
        result = await self.request("initialize", params)
        self.line.agree(str(result.get("protocolVersion", "")))
        self.line.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    async def tools(self) -> list[dict[str, Any]]:
        """Return the listed tools, all pages. Raises as :meth:`request` does."""
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        for _ in range(_PAGES):
            result = await self.request("tools/list", params)
            tools = result.get("tools")
            found += [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
            params = {"cursor": result.get("nextCursor")}
            if params["cursor"] is None:
                break
        return found

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result. Raises :class:`ProtocolError`, :class:`RequestTimeout`, :class:`TransportError`."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer | None, why: str, _moment: float) -> None:
            if waiting.done():
                return
            if answer is None:
                waiting.set_exception(TransportError(f"{method}: {why}", "is it running, and is this an MCP endpoint?"))
            else:
                waiting.set_result(answer)

        number = next(numbers)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.call(number, msgspec.json.encode(body), answered)
        try:
            answer = await asyncio.wait_for(waiting, ANSWER_SECONDS)
        except TimeoutError as error:
            raise RequestTimeout(f"{method} was not answered within {ANSWER_SECONDS:.0f} s") from error
        if answer.error is not None:
            raise RpcError(answer.error.code, f"{method} was refused: {answer.error.message}")
        try:
            return msgspec.json.decode(answer.result, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"{method} was answered with something that is no result") from error

    def call(self, number: int, message: bytes, answered: Answered) -> None:
        """Send a request; ``answered`` is called once, unless :meth:`forget` comes first."""
        self._pending[number] = answered
        self.line.send(message)

    def forget(self, number: int) -> None:
        """Wait for an answer no more; should it come late, it is nobody's concern."""
        if self._pending.pop(number, None) is not None:
            self._given_up.add(number)

    def received(self, message: bytes, moment: float) -> None:
        """Hand an answer to whoever asked; count it where nobody did. What is no message answers nothing."""
        try:
            answer = _read.decode(message)
        except msgspec.MsgspecError:
            return
        if answer.error is None and not bytes(answer.result):
            return  # what a server says or asks by itself is none of a measuring client's business
        answered = self._pending.pop(answer.id, None) if isinstance(answer.id, int) else None
        if answered is not None:
            answered(answer, "", moment)
        elif answer.id not in self._given_up:
            self._tally.add(DOUBLED, f"nobody waits for {message[:80]!r}")

    def refused(self, why: str, moment: float) -> None:
        """Tell whoever waits that it was refused."""
        pending, self._pending = self._pending, {}
        for answered in pending.values():
            answered(Answer(error=_Error(message=why)), "", moment)

    def broken(self, why: str) -> None:
        """Tell whoever waits that nothing will come."""
        pending, self._pending = self._pending, {}
        moment = _now()
        for answered in pending.values():
            answered(None, why, moment)
