"""The ways to a program on this machine: over its pipes, or over a port on which it listens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from vsm_mcp.errors import RequestTimeout, TransportError, VsmError
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.drain import Drain
from vsm_mcp.runtime.listens import Place
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.transports import first_spoken, transports_to
from vsm_mcp.sandbox import ports
from vsm_mcp.sandbox.child import Child
from vsm_mcp.sandbox.confinement import Exit
from vsm_mcp.sandbox.dialing import Dialer, into
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.get import get
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.stdio import StdioTransport
from vsm_mcp.wire.transport import MakeSocket, Target

_Question = Callable[[float], Awaitable[str]]
"""Asked before a deadline; returns a complaint, or "" when all is well."""

_FIRST_PAUSE_SECONDS: Final = 0.01
_LONGEST_PAUSE_SECONDS: Final = 0.25
_HEALTH_SECONDS: Final = 2.0
_LEAST_HEALTH_SECONDS: Final = 0.25


class Entrance(Protocol):
    """One way to one program."""

    async def open(self, known_era: str | None, seconds: float) -> tuple[Connection, str]:
        """Shake hands; return the connection and what carries it. Raises :class:`VsmError`."""
        ...

    async def probe(self, seconds: float) -> str:
        """Ask for a sign of life beside MCP, where there is one; return what was asked. Raises :class:`VsmError`."""
        ...

    def write_line(self, line: bytes) -> None:
        """Send ``line`` as it is, past the conversation, where there are lines."""
        ...

    def explained(self, error: BaseException, ended: Exit | None) -> Cause | None:
        """Return why it did not come up, where that has to do with this way; ``ended`` is how it ended, if it did."""
        ...

    def hang_up(self) -> None:
        """Close its input, as a sign that nobody needs it. Idempotent."""
        ...

    async def finish(self, seconds: float) -> None:
        """Read what it left, for so many seconds at most, once it is over."""
        ...


class Pipes:
    """Its standard streams; what is no message on stdout goes to ``junk``."""

    def __init__(self, child: Child, max_line: int, junk: Callable[[bytes], None]) -> None:
        self._transport = StdioTransport(
            child.stdout_fd, child.stdin_fd, max_line=max_line, on_junk=lambda line: junk(line + b"\n")
        )

    async def open(self, known_era: str | None, seconds: float) -> tuple[Connection, str]:
        """See :class:`Entrance`; raises what :func:`vsm_mcp.wire.negotiate.connect` raises."""
        return await connect(self._transport, timeout=seconds, known_era=known_era), self._transport.kind

    async def probe(self, seconds: float) -> str:
        """Ask nothing: over pipes there is nothing beside MCP."""
        return ""

    def write_line(self, line: bytes) -> None:
        """See :class:`Entrance`."""
        self._transport.try_send(line)

    def explained(self, error: BaseException, ended: Exit | None) -> Cause | None:
        """Leave it to its last words."""
        return None

    def hang_up(self) -> None:
        """Do nothing: the conversation's end closes the pipes."""

    async def finish(self, seconds: float) -> None:
        """Do nothing: as above."""


class PortTaken(TransportError):
    """Another program listens on the port that was meant for a server."""


class NotListening(RequestTimeout):
    """A program did not listen in time, or did not say that it is well."""


class Port:
    """A port on which it listens; its output goes to ``junk``.

    Within a network of its own, the program alone can have its port. On this machine's network somebody else may take
    it between our choice and its start; then whoever listens there is not one of its processes.
    """

    def __init__(self, child: Child, spec: ServerSpec, place: Place, junk: Callable[[bytes], None]) -> None:
        self._child = child
        self._spec = spec
        self._place = place
        self._dialer: Dialer | None = None
        self._stdin = child.stdin_fd
        self._output = Drain(child.stdout_fd, junk)

    async def open(self, known_era: str | None, seconds: float) -> tuple[Connection, str]:
        """Wait until it listens and, where it has a health path, says that it is well; then shake hands.

        Raises :class:`TransportError` when it ends, :class:`PortTaken`, :class:`NotListening`, and what the handshake
        raises.
        """
        deadline = time.monotonic() + seconds
        self._dialer = into(self._child.pid, socket.AF_INET6 if ":" in self._place.host else socket.AF_INET)
        await self._until(deadline, self._accepts)
        if self._spec.health:
            await self._until(deadline, self._well)
        target = Target(url=self._place.url, max_message=self._spec.max_message, sockets=self._sockets)
        ways = sorted(transports_to(target), key=lambda way: way.kind != self._spec.known_transport)
        left = max(deadline - time.monotonic(), 0.0)
        return await first_spoken(ways, self._spec.name, left, known_era)

    async def probe(self, seconds: float) -> str:
        """See :class:`Entrance`: asks its health path."""
        if not self._spec.health:
            return ""
        await get(f"{self._place.origin}{self._spec.health}", seconds, self._sockets)
        return f"GET {self._spec.health}"

    def write_line(self, line: bytes) -> None:
        """Do nothing: a malformed request would be HTTP's matter, not MCP's."""

    def explained(self, error: BaseException, ended: Exit | None) -> Cause | None:
        """See :class:`Entrance`."""
        url, said = self._place.url, error.message if isinstance(error, VsmError) else type(error).__name__
        if isinstance(error, PortTaken):
            return Cause(code="port_in_use", message=said, hint="stop that program, or let the port be chosen: {port}")
        if ended is not None:
            return None
        if isinstance(error, NotListening):
            told = "tell it its port: {port} in --arg or --env stands for it, --env PORT={port} is tried by itself"
            return Cause(code="not_listening", message=said, hint=told)
        if isinstance(error, RequestTimeout):
            return Cause(
                code="hung", message=f"the server listens, but {url} does not answer", hint="is the path right?"
            )
        from vsm_mcp.runtime.last_words import mask  # noqa: PLC0415 - patterns, for those that fail alone

        said = f"no MCP handshake came about at {url}: {mask(said)[:300]}"
        return Cause(code="protocol", message=said, hint="is the path right? --listens takes a whole URL")

    def hang_up(self) -> None:
        """See :class:`Entrance`."""
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1

    async def finish(self, seconds: float) -> None:
        """See :class:`Entrance`."""
        self.hang_up()
        if self._dialer is not None:
            self._dialer.close()
        await self._output.finish(seconds)

    # --- waiting ---------------------------------------------------------------------------------------------------

    @property
    def _sockets(self) -> MakeSocket | None:
        """What makes sockets that lead in; ``None`` where any socket does."""
        return None if self._dialer is None else self._dialer.socket

    async def _until(self, deadline: float, holds: _Question) -> None:
        """Ask again and again, soon at first, until the answer is no complaint."""
        pause = _FIRST_PAUSE_SECONDS
        while complaint := await holds(deadline):
            left = max(deadline - time.monotonic(), 0.0)
            if await self._child.over(min(pause, left)):
                raise TransportError("the server ended before it listened")
            if left <= pause:
                raise NotListening(complaint)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _accepts(self, _deadline: float) -> str:
        """Look whether it listens; nothing connects for that, as there are servers that take one client only."""
        port = self._place.port
        found = ports.listening(port, self._child.pid)
        if not found:
            return f"the server does not listen on port {port}"
        if self._dialer is None and not ports.held(found, self._child.processes()):
            raise PortTaken(f"another program listens on port {port} of this machine")
        return ""

    async def _well(self, deadline: float) -> str:
        try:
            await self.probe(max(min(_HEALTH_SECONDS, deadline - time.monotonic()), _LEAST_HEALTH_SECONDS))
        except VsmError as error:
            return f"the server listens, but is not well: {error.message}"
        return ""
