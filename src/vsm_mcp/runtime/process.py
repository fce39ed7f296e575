"""One running instance of a server: its child, its conversation, its log."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.config import Runtime as Limits
from vsm_mcp.errors import RequestTimeout, ServerDown, TransportError, VsmError
from vsm_mcp.events import Emit, ServerStarted
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.cause import explain
from vsm_mcp.runtime.drain import Drain
from vsm_mcp.runtime.last_words import mask
from vsm_mcp.runtime.log import Lines, Redactor, RotatedFile
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.child import Child
from vsm_mcp.sandbox.confinement import Command, Confinement, Exit
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.stdio import StdioTransport

_NO_HANDSHAKE: Final = "it is no MCP server over stdio, or speaks no protocol version that we know"
_LAST_WORDS_SECONDS: Final = 1.0
_UNEXPLAINED: Final = frozenset({"crashed", "not_a_server", "broken_entry"})


class StartFailed(ServerDown):
    """A server did not come up: ``cause`` says why, ``stderr_tail`` what it said last, ``exit`` how it ended."""

    def __init__(self, name: str, cause: Cause, stderr_tail: tuple[str, ...], ended: Exit | None) -> None:
        super().__init__(f"{name} did not start: {cause.message}", cause.hint, cause)
        self.stderr_tail = stderr_tail
        self.exit = ended


class Instance(Protocol):
    """What the supervisor needs of a process, or of a conversation without one."""

    connection: Connection
    tier: str
    transport: str

    @property
    def pid(self) -> int | None:
        """The server's own process id on this machine, if it has one."""
        ...

    async def ended(self) -> str:
        """Wait until it cannot answer any more; return why, as a clause."""
        ...

    async def stop(self) -> object:
        """End it; nothing of it is left then."""
        ...

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """Its last lines on stderr."""
        ...


class Spawner(Protocol):
    """What starts a program: a :class:`~vsm_mcp.sandbox.child.Sandbox`, or who watches what it starts."""

    async def spawn(self, command: Command, confinement: Confinement, *, name: str, unsandboxed: bool = False) -> Child:
        """See :meth:`Sandbox.spawn <vsm_mcp.sandbox.child.Sandbox.spawn>`."""
        ...


class Process:
    """A child in its sandbox with an open conversation; made by :func:`start`."""

    def __init__(self, spec: ServerSpec, child: Child, limits: Limits, file: RotatedFile) -> None:
        redactor = Redactor(spec.secrets)
        whose = f"[{spec.session}] ".encode() if spec.session else b""
        self.name = spec.name
        self.tier = child.tier.value
        self.transport = StdioTransport.kind
        self.exit: Exit | None = None
        self.connection: Connection
        self._transport: StdioTransport
        self._child = child
        self._limits = limits
        self._file = file
        self._stderr = Lines(file, redactor, whose)
        self._junk = Lines(file, redactor, whose + b"stdout: ")
        self._drain = Drain(child.stderr_fd, self._stderr.feed)

    @property
    def pid(self) -> int | None:
        """The server's own process id on this machine."""
        return self._child.pid

    @property
    def era(self) -> str:
        """The era of its conversation: ``modern`` or ``legacy``."""
        return self.connection.era

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines it wrote on stderr, at most 50 and 8 KiB, secrets replaced."""
        return self._stderr.last()

    @property
    def stdout_tail(self) -> tuple[str, ...]:
        """The last lines on stdout that were no messages."""
        return self._junk.last()

    def peak_memory(self) -> int | None:
        """Return the most bytes it held at once, as far as anybody counted."""
        return self._child.peak_memory()

    def processes(self) -> list[int]:
        """Return the ids of all processes that belong to it."""
        return self._child.processes()

    async def open(self, known_era: str | None, seconds: float) -> None:
        """Shake hands. Raises what :func:`vsm_mcp.wire.negotiate.connect` raises."""
        transport = StdioTransport(
            self._child.stdout_fd,
            self._child.stdin_fd,
            max_line=self._limits.max_line_bytes,
            on_junk=lambda line: self._junk.feed(line + b"\n"),
        )
        self._transport = transport
        self.connection = await connect(transport, timeout=seconds, known_era=known_era)

    def write_line(self, line: bytes) -> None:
        """Send ``line`` as it is, past the conversation: a trial asks what a malformed one does."""
        self._transport.try_send(line)

    async def ended(self) -> str:
        """Wait until it is over or its conversation is; return why."""
        over = asyncio.ensure_future(self._child.wait())
        try:
            first: tuple[asyncio.Future[Any], ...] = (over, self.connection.closed)
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                await self._child.over(_LAST_WORDS_SECONDS)
        finally:
            over.cancel()
        if self._child.ended:
            self.exit = await self._child.wait()
            self.connection.fail(f"the server {self.exit.describe()}")
            return self.exit.describe()
        return self.connection.closed.result()

    async def stop(self) -> Exit:
        """Close its stdin, ask it to end, kill it: whatever it takes. Idempotent."""
        if hasattr(self, "connection"):
            closing = asyncio.ensure_future(self.connection.close())
            await asyncio.wait([closing], timeout=self._limits.stop_grace_seconds)
            if not closing.cancelled() and closing.done() and closing.exception() is not None:
                self.connection.fail("the connection was closed")
        return await self._end(self._limits.stop_grace_seconds)

    async def fail(self, error: BaseException, seconds: float) -> Cause:
        """End a process that did not come up; return why it did not."""
        lost = isinstance(error, TransportError)
        if lost:
            await self._child.over(_LAST_WORDS_SECONDS)
        # One that did not answer in time was alive then: if it is gone by now, that is because its stdin was closed.
        ended = await self._child.wait() if lost and self._child.ended else None
        await self._end(0.0)
        if ended is None and not isinstance(error, (RequestTimeout, TransportError)):
            said = mask(str(error))[:300]
            return Cause(code="protocol", message=f"no MCP handshake came about: {said}", hint=_NO_HANDSHAKE)
        return explain(ended, self.stderr_tail, phase="start", timeout=seconds, stdout_tail=self.stdout_tail)

    async def _end(self, grace: float) -> Exit:
        self.exit = await (self._child.stop(grace) if grace else self._child.kill())
        await self._drain.finish(_LAST_WORDS_SECONDS)
        self._stderr.finish()
        self._junk.finish()
        self._file.close()
        return self.exit


async def start(spec: ServerSpec, sandbox: Spawner, limits: Limits, file: RotatedFile, emit: Emit) -> Process:
    """Start a server's program and shake hands; ``spec.start_timeout`` covers everything.

    ``file`` is the server's log, shared by all its processes: each closes it at its end, and writing opens it again.
    A server that dies of the first question (old ones do of ``server/discover``) is started once more and asked in
    the old way. Raises :class:`StartFailed` (a :class:`ServerDown`), and what :meth:`Sandbox.spawn` raises.
    """
    began = time.monotonic()
    try:
        process = await _attempt(spec, sandbox, limits, file, spec.start_timeout)
    except ServerDown as error:
        left = spec.start_timeout - (time.monotonic() - began)
        if spec.known_era == "legacy" or error.cause.code not in _UNEXPLAINED or left <= 0:
            raise
        again = msgspec.structs.replace(spec, known_era="legacy")
        process = await _attempt(again, sandbox, limits, file, left)
    seconds = time.monotonic() - began
    emit(
        ServerStarted(
            server=spec.name,
            pid=process.pid or 0,
            era=process.era,
            tier=process.tier,
            seconds=round(seconds, 3),
            session=spec.session,
        )
    )
    return process


async def _attempt(spec: ServerSpec, sandbox: Spawner, limits: Limits, file: RotatedFile, seconds: float) -> Process:
    if spec.command is None or spec.confinement is None:
        raise ServerDown(f"{spec.name} has no program", "add it again")
    child = await sandbox.spawn(spec.command, spec.confinement, name=spec.name, unsandboxed=spec.unsandboxed)
    process = Process(spec, child, limits, file)
    try:
        await process.open(spec.known_era, seconds)
    except VsmError as error:
        cause = await asyncio.shield(process.fail(error, seconds))
        raise StartFailed(spec.name, cause, process.stderr_tail, process.exit) from error
    except BaseException:
        await asyncio.shield(process.stop())
        raise
    return process
