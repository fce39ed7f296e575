"""The daemon's side of :mod:`~vsm_mcp.sandbox.dialing.inside`: sockets that lie in a sandbox, as many as are needed."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from pathlib import Path
from typing import Final

from vsm_mcp.errors import TransportError
from vsm_mcp.sandbox.dialing import inside
from vsm_mcp.sandbox.running import popen

_PATIENCE_SECONDS: Final = 10.0
_FIRST: Final = 8
_ANSWER_BYTES: Final = 1024


class Dialer:
    """Makes TCP sockets in one network namespace, for as long as it is open; none of them is connected yet.

    They are fetched by the batch: the program that makes them takes some twenty milliseconds. The namespace is held
    open by a descriptor, so it cannot be another one by accident.
    """

    def __init__(self, namespace: int, family: socket.AddressFamily = socket.AF_INET) -> None:
        """``namespace`` is a descriptor, owned from here on."""
        self._namespace = namespace
        self._family = family
        self._made: deque[socket.socket] = deque()
        self._batch = _FIRST
        self._making = asyncio.Lock()

    async def socket(self) -> socket.socket:
        """Return one more, non-blocking. Raises :class:`TransportError` when none can be made."""
        if not self._made:
            async with self._making:
                if not self._made:
                    await self._make()
        return self._made.popleft()

    def close(self) -> None:
        """Make no more. Idempotent; those that were handed out stay."""
        if self._namespace >= 0:
            os.close(self._namespace)
            self._namespace = -1
        while self._made:
            self._made.pop().close()

    async def _make(self) -> None:
        if self._namespace < 0:
            raise TransportError("the connection to the server is closed")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            try:
                with theirs:
                    given = (theirs.fileno(), self._namespace, int(self._family), self._batch)
                    argv = [sys.executable, "-I", "-S", inside.__file__, *map(str, given)]
                    running = popen(argv, env={}, pass_fds=given[:2])
                running.pipes.close()
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await running.exited
                finally:
                    running.kill()
                said, descriptors, _, _ = socket.recv_fds(ours, _ANSWER_BYTES, inside.MOST)
            except OSError as error:
                raise TransportError(f"there is no way into the sandbox: {error.strerror or error}") from error
        if said[:1] != inside.MADE:
            reason = said[1:].decode("utf-8", "replace") or "its helper ended without a word"
            raise TransportError(f"there is no way into the sandbox: {reason}")
        for descriptor in descriptors:
            made = socket.socket(fileno=descriptor)
            made.setblocking(False)
            self._made.append(made)
        self._batch = min(self._batch * 2, inside.MOST)


def into(pid: int, family: socket.AddressFamily = socket.AF_INET) -> Dialer | None:
    """Return the way into the network namespace of a process; ``None`` where it is our own.

    Raises :class:`TransportError` when the process is gone, or may not be looked at.
    """
    try:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise TransportError(f"there is no way to the server: {error.strerror}") from error
    if os.fstat(namespace).st_ino == Path("/proc/self/ns/net").stat().st_ino:
        os.close(namespace)
        return None
    return Dialer(namespace, family)
