"""The daemon's side of :mod:`~vsm_mcp.sandbox.egress.namespace`: start it, send the namespace, receive the sockets."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.sandbox.egress import namespace
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.running import Running, popen

_PATIENCE_SECONDS: Final = 10.0
_ANSWER_BYTES: Final = 1024


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the namespace; all of it non-blocking. ``watch`` is ``None`` where the kernel has no such socket."""

    names: socket.socket
    watch: socket.socket | None
    listeners: tuple[socket.socket, ...]

    def close(self) -> None:
        """Close them all."""
        for each in (self.names, *self.listeners, *((self.watch,) if self.watch else ())):
            each.close()


class Entrance:
    """The program that goes in, started before there is a namespace, so that nobody waits for the interpreter."""

    def __init__(self, ports: Sequence[int], token: str) -> None:
        """Start it, on the event loop's thread; ``token`` is what the guard knows it by. Raises :class:`OSError`."""
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        with theirs:
            argv = [sys.executable, "-I", "-S", namespace.__file__, str(theirs.fileno()), *map(str, ports)]
            self._running: Running = popen(argv, env={VARIABLE: token}, pass_fds=(theirs.fileno(),))
        self._running.pipes.close()

    async def sockets(self, network: int) -> Sockets:
        """Return the sockets in a network namespace. Raises :class:`OSError`, saying what failed."""
        socket.send_fds(self._ours, [b"+"], [network])
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await _readable(self._ours)
        said, descriptors, _, _ = socket.recv_fds(self._ours, _ANSWER_BYTES, namespace.MOST_SOCKETS)
        found = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for each in found:
            each.setblocking(False)
        if said == namespace.READY:
            return Sockets(names=found[0], watch=found[1], listeners=tuple(found[2:]))
        if said == namespace.READY_BLIND:
            return Sockets(names=found[0], watch=None, listeners=tuple(found[1:]))
        raise OSError(0, said[1:].decode("utf-8", "replace") or "its helper ended without a word")

    async def close(self) -> None:
        """Wait until it is gone: it ends with its work, and when our end of the socket is closed."""
        self._ours.close()
        await self._running.exited


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _readable(ours: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(ours.fileno(), _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(ours.fileno())
