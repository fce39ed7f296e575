"""One running instance of a server: its child, its conversation, its log."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.config import Runtime as Limits
from vsm_mcp.errors import HttpRefused, RequestTimeout, SandboxUnavailable, ServerDown, TransportError, VsmError
from vsm_mcp.events import Emit, ServerStarted
from vsm_mcp.model.contact import Contact
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.drain import Drain
from vsm_mcp.runtime.entrance import Entrance, Pipes, Port
from vsm_mcp.runtime.listens import PORT, Place, told
from vsm_mcp.runtime.listens import place as place_of
from vsm_mcp.runtime.log import Lines, Redactor, RotatedFile
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox import ports
from vsm_mcp.sandbox.child import Child
from vsm_mcp.sandbox.confinement import Command, Confinement, Exit
from vsm_mcp.wire.connection import Connection

_NO_HANDSHAKE: Final = "it is no MCP server over stdio, or speaks no protocol version that we know"
_LAST_WORDS_SECONDS: Final = 1.0
_PORTS: Final = 3
"""With how many ports a program that listens is tried, when each is taken before it gets there."""

_UNEXPLAINED: Final = frozenset({"crashed", "not_a_server", "broken_entry"})
_SILENT_SECONDS: Final = 15.0
_LOOK_AGAIN_SECONDS: Final = 1.0
_PROBE: Final = "server/discover"


class StartFailed(ServerDown):
    """A server did not come up: ``cause`` says why.

    ``stderr_tail`` is what it said last, ``exit`` how it ended, ``contacts`` what it reached for over the network.
    """

    def __init__(self, process: Process, cause: Cause) -> None:
        super().__init__(f"{process.name} did not start: {cause.message}", cause.hint, cause)
        self.stderr_tail = process.stderr_tail
        self.exit = process.exit
        self.contacts = process.contacts


class Instance(Protocol):
    """What the supervisor needs of a process, or of a conversation without one."""

    connection: Connection
    tier: str
    transport: str
    exit: Exit | None
    """How its process ended, once it did."""

    @property
    def pid(self) -> int | None:
        """The server's own process id on this machine, if it has one."""
        ...

    async def ended(self) -> str:
        """Wait until it cannot answer any more; return why, as a clause."""
        ...

    async def probe(self, seconds: float) -> str:
        """Ask for a sign of life beside MCP, where there is one; return what was asked. Raises :class:`VsmError`."""
        ...

    async def stop(self) -> object:
        """End it; nothing of it is left then."""
        ...

    async def ask(self) -> bool:
        """Ask it to end, and do no more; return whether it did in time."""
        ...

    async def kill(self) -> object:
        """End it at once, whatever it is doing; nothing of it is left then."""
        ...

    def adapt(self, spec: ServerSpec, limits: Limits) -> bool:
        """Take on other limits while it runs; false where it has to be started anew for them."""
        ...

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """Its last lines on stderr."""
        ...

    @property
    def junk(self) -> int:
        """How many lines on stdout were no messages."""
        ...


class Spawner(Protocol):
    """What starts a program: a :class:`~vsm_mcp.sandbox.child.Sandbox`, or who watches what it starts."""

    async def spawn(self, command: Command, confinement: Confinement, *, name: str, unsandboxed: bool = False) -> Child:
        """See :meth:`Sandbox.spawn <vsm_mcp.sandbox.child.Sandbox.spawn>`."""
        ...


class Process:
    """A child in its sandbox with an open conversation; made by :func:`start`."""

    def __init__(
        self, spec: ServerSpec, child: Child, limits: Limits, file: RotatedFile, place: Place | None = None
    ) -> None:
        """``place`` is where the program listens, if it does."""
        redactor = Redactor(spec.secrets)
        whose = f"[{spec.session}] ".encode() if spec.session else b""
        self.name = spec.name
        self.tier = child.tier.value
        self.transport = ""
        self.exit: Exit | None = None
        self.speaks_lines = place is None
        self.connection: Connection
        self._child = child
        self._limits = limits
        self._file = file
        self._stderr = Lines(file, redactor, whose)
        self._junk = Lines(file, redactor, whose + b"stdout: ")
        self._drain = Drain(child.stderr_fd, self._stderr.feed)
        self._entrance: Entrance = (
            Pipes(child, limits.max_line_bytes, self._junk.feed)
            if place is None
            else Port(child, spec, place, self._junk.feed)
        )

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

    @property
    def junk(self) -> int:
        """How many lines on stdout were no messages."""
        return self._junk.count

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """What it reached for over the network, where an allow-list says what it may."""
        return self._child.contacts.all()

    def explain(self, phase: str, ended: Exit | None, seconds: float = 0.0) -> Cause:
        """Return why it failed, if it ended so; ``None`` is for one that did not answer within ``seconds``."""
        from vsm_mcp.runtime.cause import explain  # noqa: PLC0415 - a hundred patterns, for those that fail alone

        return explain(
            ended,
            self.stderr_tail,
            phase=phase,
            timeout=seconds,
            stdout_tail=self.stdout_tail,
            contacts=self.contacts,
        )

    def peak_memory(self) -> int | None:
        """Return the most bytes it held at once, as far as anybody counted."""
        return self._child.peak_memory()

    def processes(self) -> list[int]:
        """Return the ids of all processes that belong to it."""
        return self._child.processes()

    async def open(self, known_era: str | None, seconds: float) -> None:
        """Shake hands, and hold it to its share of the CPU from then on.

        One that was never reached, and has not shaken hands after 15 seconds or a quarter of its time but said that it
        listens on a port, is not waited for any longer. Raises what its
        :class:`~vsm_mcp.runtime.entrance.Entrance` and :meth:`Child.throttle` raise.
        """
        opening = asyncio.ensure_future(self._entrance.open(known_era, seconds))
        try:
            new = self.speaks_lines and known_era is None
            await asyncio.wait((opening,), timeout=max(_SILENT_SECONDS, seconds / 4) if new else None)
            while not opening.done() and not self._listens_elsewhere():
                await asyncio.wait((opening,), timeout=_LOOK_AGAIN_SECONDS)
            if not opening.done():
                raise RequestTimeout("it listens on a port, and says nothing over its pipes")
            self.connection, self.transport = opening.result()
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        await self._child.throttle()

    def _listens_elsewhere(self) -> bool:
        from vsm_mcp.runtime.surroundings import says_it_listens  # noqa: PLC0415 - as in `explain`

        return says_it_listens([*self.stdout_tail, *self.stderr_tail])

    def adapt(self, spec: ServerSpec, limits: Limits) -> bool:
        """Take on other limits while it runs; false where it has to be started anew for them."""
        self._limits = limits
        return spec.confinement is None or self._child.adapt(spec.confinement)

    def write_line(self, line: bytes) -> None:
        """Send ``line`` as it is, past the conversation, where it speaks lines: a trial asks what it does then."""
        self._entrance.write_line(line)

    async def ended(self) -> str:
        """Wait until it is over or its conversation is; return why, and tell those who wait for an answer."""
        self.connection.patience = 2 * _LAST_WORDS_SECONDS  # they shall hear of a limit, not of a closed pipe
        over = asyncio.ensure_future(self._child.wait())
        try:
            first: tuple[asyncio.Future[Any], ...] = (over, self.connection.closed)
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                await self._child.over(_LAST_WORDS_SECONDS)
        finally:
            over.cancel()
        if not self._child.ended:
            reason = self.connection.closed.result()
            self.connection.fail(reason)
            return reason
        self.exit = await self._child.wait()
        reason = await self._reason(self.exit)
        self.connection.fail(f"the server {reason}")
        return reason

    async def probe(self, seconds: float) -> str:
        """See :class:`Instance`."""
        return await self._entrance.probe(seconds)

    async def _reason(self, ended: Exit) -> str:
        """Return how it ended, with the limit that it ran into, if its last words name one."""
        from vsm_mcp.runtime.cause import ended_by  # noqa: PLC0415 - as in explain

        await self._drain.finish(_LAST_WORDS_SECONDS)
        self._stderr.finish()
        why = ended_by(ended, self.stderr_tail)
        return f"{ended.describe()}: {why}" if why else ended.describe()

    async def stop(self) -> Exit:
        """Close its stdin, ask it to end, kill it: whatever it takes. Idempotent."""
        if hasattr(self, "connection"):
            closing = asyncio.ensure_future(self.connection.close())
            await asyncio.wait([closing], timeout=self._limits.stop_grace_seconds)
            if not closing.cancelled() and closing.done() and closing.exception() is not None:
                self.connection.fail("the connection was closed")
        self._entrance.hang_up()
        return await self._end(self._limits.stop_grace_seconds)

    async def ask(self) -> bool:
        """See :class:`Instance`."""
        return await self._child.ask(self._limits.stop_grace_seconds)

    async def kill(self) -> Exit:
        """See :class:`Instance`."""
        return await self._child.kill()

    async def fail(self, error: BaseException, seconds: float) -> Cause:
        """End a process that did not come up; return why it did not."""
        lost = isinstance(error, TransportError) and not isinstance(error, HttpRefused)
        if lost:
            await self._child.over(_LAST_WORDS_SECONDS)
        # One that did not answer in time was alive then: if it is gone by now, that is because its stdin was closed.
        ended = await self._child.wait() if lost and self._child.ended else None
        await self._end(0.0)
        if (cause := self._entrance.explained(error, ended)) is not None:
            return cause
        if ended is None and not isinstance(error, (RequestTimeout, TransportError)):
            from vsm_mcp.runtime.last_words import mask  # noqa: PLC0415 - as in explain

            said = mask(str(error))[:300]
            return Cause(code="protocol", message=f"no MCP handshake came about: {said}", hint=_NO_HANDSHAKE)
        cause = self.explain("start", ended, seconds)
        if cause.code == "not_a_server" and not self.speaks_lines and ended is not None:  # it said where it listens
            return Cause(code="crashed", message=f"the server {ended.describe()}", hint="its log says more")
        return cause

    async def _end(self, grace: float) -> Exit:
        self.exit = await (self._child.stop(grace) if grace else self._child.kill())
        await self._entrance.finish(_LAST_WORDS_SECONDS)
        await self._drain.finish(_LAST_WORDS_SECONDS)
        self._stderr.finish()
        self._junk.finish()
        self._file.close()
        return self.exit


async def start(spec: ServerSpec, sandbox: Spawner, limits: Limits, file: RotatedFile, emit: Emit) -> Process:
    """Start a server's program and shake hands; ``spec.start_timeout`` covers everything.

    ``file`` is the server's log, shared by all its processes: each closes it at its end, and writing opens it again.
    A server that dies of the first question (old ones do of ``server/discover``) is started once more and asked in
    the old way; one that listens and finds its port taken gets another one.

    Raises :class:`StartFailed` (a :class:`ServerDown`), and what :meth:`Sandbox.spawn` raises.
    """
    began = time.monotonic()
    ports_left = _PORTS - 1
    while True:
        left = spec.start_timeout - (time.monotonic() - began)
        try:
            process = await _attempt(spec, sandbox, limits, file, left)
            break
        except ServerDown as error:
            code, left = error.cause.code, spec.start_timeout - (time.monotonic() - began)
            if left <= 0:
                raise
            if code == "port_in_use" and PORT in spec.listens and ports_left:
                ports_left -= 1
            elif spec.known_era != "legacy" and _perhaps_of_the_probe(error):
                spec = msgspec.structs.replace(spec, known_era="legacy")
            else:
                raise
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


def _perhaps_of_the_probe(error: ServerDown) -> bool:
    """Whether it may have died of the first question: without a reason, or quoting it, whatever else befell it."""
    if error.cause.listens:
        return False
    quoted = isinstance(error, StartFailed) and any(_PROBE in line for line in error.stderr_tail)
    return quoted or error.cause.code in _UNEXPLAINED


async def _attempt(spec: ServerSpec, sandbox: Spawner, limits: Limits, file: RotatedFile, seconds: float) -> Process:
    if spec.command is None or spec.confinement is None:
        raise ServerDown(f"{spec.name} has no program", "add it again")
    command, place = spec.command, None
    if spec.listens:
        place = place_of(spec.listens, ports.free())
        argv, env = told(command.argv, command.env, place.port)
        command = msgspec.structs.replace(command, argv=argv, env=env)
    child = await sandbox.spawn(command, spec.confinement, name=spec.name, unsandboxed=spec.unsandboxed)
    process = Process(spec, child, limits, file, place)
    try:
        await process.open(spec.known_era, seconds)
    except SandboxUnavailable:
        await asyncio.shield(process.stop())
        raise
    except VsmError as error:
        cause = await asyncio.shield(process.fail(error, seconds))
        raise StartFailed(process, cause) from error
    except BaseException:
        await asyncio.shield(process.stop())
        raise
    return process
