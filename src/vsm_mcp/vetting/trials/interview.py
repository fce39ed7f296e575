"""A server, spoken to message by message: what it says is kept as it came.

A :class:`~vsm_mcp.wire.connection.Connection` hides what a trial of the protocol is about (ids, stray answers, lines
that are no message), so this one has none. It declares no client capability, and answers nothing a server asks but with
a refusal.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.errors import TransportError
from vsm_mcp.runtime.drain import Drain
from vsm_mcp.runtime.process import Spawner
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.child import Child
from vsm_mcp.wire import era as eras
from vsm_mcp.wire.stdio import StdioTransport

ANSWER_SECONDS: Final = 5.0
CLIENT_INFO: Final = {"name": "vsm-mcp-trial", "version": "1"}
_KEPT_MESSAGES: Final = 20_000
_KEPT_NOTICES: Final = 1000
"""Of what nobody asked for; a flood of it must not crowd out the answers."""
_KEPT_BYTES: Final = 64 * 1024 * 1024
_KEPT_JUNK: Final = 50
_FIRST_ID: Final = 4000
_LAST_WORDS_SECONDS: Final = 1.0
_MODERN_META: Final = {
    eras.META_PROTOCOL: eras.MODERN,
    eras.META_CLIENT_INFO: CLIENT_INFO,
    eras.META_CLIENT_CAPABILITIES: {},
}


class Answer(msgspec.Struct, frozen=True):
    """What came back to a request: its whole ``message``; empty where nothing came in time, or it was ``gone``.

    ``how`` is what came instead of a message, in words.
    """

    message: dict[str, Any]
    gone: bool = False
    how: str = ""

    @property
    def result(self) -> dict[str, Any] | None:
        """Its result, where it is an object."""
        value = self.message.get("result")
        return value if isinstance(value, dict) else None

    @property
    def code(self) -> int | None:
        """The code of its error, where it is one."""
        error = self.message.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def refused(self) -> bool:
        """Whether it is an error, or a result that says it is one."""
        return "error" in self.message or (self.result or {}).get("isError") is True

    @property
    def described(self) -> str:
        """What it is, in words."""
        if self.gone:
            return "it ended"
        if not self.message:
            return self.how or "it did not answer"
        if "error" in self.message:
            return f"it refused with {self.code}"
        return "it answered with an error result" if self.refused else "it answered with a result"


Over = Callable[[], None]


class Carrier(Protocol):
    """Carries the messages of one interview."""

    @property
    def peak_memory(self) -> int | None:
        """The most bytes that the server held at once, as far as anybody counted."""

    @property
    def barred(self) -> str:
        """Why nothing more is to be asked; empty while it may be."""

    async def open(self, take: Callable[[bytes], bool], nothing: Callable[[Any, str], None], over: Over) -> None:
        """Begin. Raises :class:`TransportError`.

        ``take`` is called with each message and says whether it answers a request that waits, ``nothing`` with the id
        of a request that brought no message, and what came instead.
        """

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message."""

    def write(self, line: bytes) -> None:
        """Send bytes as they are, where that can be; nothing happens when it is gone."""

    async def end(self, grace: float) -> None:
        """Leave nothing of it; what has to be asked to end gets ``grace`` seconds."""


class Interview:
    """A server that is asked, by way of a ``carrier``.

    ``era`` says how its requests are written, ``patience`` how long an answer is waited for, in seconds.
    """

    def __init__(self, carrier: Carrier, era: str) -> None:
        self.era = era
        self.patience = ANSWER_SECONDS
        self.messages: list[dict[str, Any]] = []
        self.junk: list[bytes] = []
        self.unanswered: list[str] = []
        self.gone = asyncio.Event()
        self._kept = self._notices = 0
        self._sent: set[str] = set()
        self._carrier = carrier
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._ids = itertools.count(_FIRST_ID)

    async def open(self) -> None:
        """Begin. Raises :class:`TransportError`."""
        await self._carrier.open(self._take, self._nothing, self.gone.set)

    async def end(self, grace: float) -> None:
        """Leave nothing of it; what has to be asked to end gets ``grace`` seconds."""
        await self._carrier.end(grace)

    @property
    def peak_memory(self) -> int | None:
        """The most bytes it held at once, as far as anybody counted."""
        return self._carrier.peak_memory

    @property
    def barred(self) -> str:
        """Why nothing more is to be asked; empty while it may be."""
        return self._carrier.barred

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        ident: Any = None,
        seconds: float | None = None,
    ) -> Answer:
        """Ask one request and return what came back within ``seconds`` (by default, its patience)."""
        sent = self.begin(method, params, ident=ident)
        return await self.answer(sent, seconds)

    def begin(self, method: str, params: Mapping[str, Any] | None = None, *, ident: Any = None) -> Any:
        """Send a request and return its id; :meth:`answer` waits for what comes back."""
        used = next(self._ids) if ident is None else ident
        return self.begin_as({"jsonrpc": "2.0", "id": used, "method": method, "params": self.dressed(params)})

    def begin_as(self, message: Mapping[str, Any]) -> Any:
        """Send a request as it is and return its id."""
        self._sent.add(str(message["id"]))
        self._waiting[str(message["id"])] = asyncio.get_running_loop().create_future()
        self._carrier.send(message)
        return message["id"]

    async def answer(self, ident: Any, seconds: float | None = None) -> Answer:
        """Return what comes back to a request; an id that came back as text instead of a number counts here."""
        future = self._waiting[str(ident)]
        over: asyncio.Future[Any] = asyncio.ensure_future(self.gone.wait())
        try:
            patience = self.patience if seconds is None else seconds
            either: set[asyncio.Future[Any]] = {future, over}
            await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            del self._waiting[str(ident)]
        if future.done():
            return future.result()
        if not self.gone.is_set():
            self.unanswered.append(str(ident))
        return Answer({}, gone=self.gone.is_set())

    def tell(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send a notification."""
        self._carrier.send({"jsonrpc": "2.0", "method": method, "params": dict(params or {})})

    def write(self, line: bytes) -> None:
        """Send a line as it is; nothing happens when it is gone."""
        self._carrier.write(line)

    def dressed(self, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return parameters as the era wants them: in the modern one, each request says who asks."""
        return {**(params or {}), "_meta": _MODERN_META} if self.era == "modern" else dict(params or {})

    def stray(self, since: int) -> list[Any]:
        """Return the ids of those answers, from message number ``since`` on, that belong to no request of ours."""
        ids = [message.get("id") for message in self.messages[since:] if "method" not in message]
        return [ident for ident in ids if str(ident) not in self._sent]

    async def alive(self) -> bool:
        """Whether it answers a question that every server of its era knows."""
        return bool((await self.ask("server/discover" if self.era == "modern" else "ping")).message)

    # --- inside --------------------------------------------------------------------------------------------------

    def _take(self, line: bytes) -> bool:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not ({"method", "result", "error", "id"} & message.keys()):
            if len(self.junk) < _KEPT_JUNK:
                self.junk.append(line[:200])
            return False
        self._kept += len(line)
        self._notices += "method" in message
        room = "method" not in message or self._notices <= _KEPT_NOTICES
        if room and len(self.messages) < _KEPT_MESSAGES and self._kept < _KEPT_BYTES:
            self.messages.append(message)
        if "method" in message:
            self._refuse(message)
            return False
        future = self._waiting.get(str(message.get("id")))
        if future is None or future.done():
            return False
        future.set_result(Answer(message))
        return True

    def _nothing(self, ident: Any, how: str) -> None:
        future = self._waiting.get(str(ident))
        if future is not None and not future.done():
            future.set_result(Answer({}, how=how))

    def _refuse(self, message: dict[str, Any]) -> None:
        if message.get("id") is not None:
            error = {"code": eras.METHOD_NOT_FOUND, "message": "the trial offers nothing"}
            self._carrier.send({"jsonrpc": "2.0", "id": message["id"], "error": error})


class Pipes:
    """The standard streams of a process: a carrier."""

    barred = ""

    def __init__(self, child: Child, max_line: int) -> None:
        self._child = child
        self._drain = Drain(child.stderr_fd, lambda _data: None)
        self._transport = StdioTransport(child.stdout_fd, child.stdin_fd, max_line=max_line)

    @property
    def peak_memory(self) -> int | None:
        """See :class:`Carrier`."""
        return self._child.peak_memory()

    async def open(self, take: Callable[[bytes], bool], _nothing: Callable[[Any, str], None], over: Over) -> None:
        """Attach to the pipes. Raises :class:`TransportError`."""
        await self._transport.open(lambda line, _about: take(line), lambda _reason: over())

    def send(self, message: Mapping[str, Any]) -> None:
        """Write a message as a line."""
        self.write(json.dumps(message).encode())

    def write(self, line: bytes) -> None:
        """Write a line as it is."""
        self._transport.try_send(line)

    async def end(self, grace: float) -> None:
        """Ask it to end, and kill it after ``grace`` seconds."""
        await self._transport.close()
        await self._child.stop(grace)
        await self._drain.finish(_LAST_WORDS_SECONDS)


async def interview(spec: ServerSpec, spawner: Spawner, era: str, max_line: int) -> Interview:
    """Start a server's program and return the way to speak to it; nothing is said yet.

    Raises :class:`TransportError`, and what :meth:`Sandbox.spawn <vsm_mcp.sandbox.child.Sandbox.spawn>` raises.
    """
    if spec.command is None or spec.confinement is None:
        raise TransportError(f"{spec.name} has no program to speak to")
    child = await spawner.spawn(spec.command, spec.confinement, name=spec.name, unsandboxed=spec.unsandboxed)
    talk = Interview(Pipes(child, max_line), era)
    try:
        await talk.open()
    except BaseException:
        await asyncio.shield(child.kill())
        raise
    return talk
