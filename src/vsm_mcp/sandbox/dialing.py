"""The way in to a program that listens inside its sandbox, where the host's network does not lead.

A socket belongs to the network namespace that it was made in, whoever holds it and connects it later. So the program
that goes into a sandbox (:mod:`vsm_mcp.sandbox.egress.namespace`) makes some there, hands them out, and is gone; the
daemon connects them when it needs them. Nothing of ours stays inside, nothing is bound or relayed outside, and two
sandboxes can use the same port without knowing of one another.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from pathlib import Path
from typing import Final

from vsm_mcp.errors import TransportError
from vsm_mcp.sandbox.egress import namespace
from vsm_mcp.sandbox.running import popen

_PATIENCE_SECONDS: Final = 10.0
_FIRST: Final = 4
_MOST: Final = 64
_ANSWER_BYTES: Final = 1024


class Dialer:
    """Makes TCP sockets in one network namespace, for as long as it is open; none of them is connected yet.

    They are fetched by the batch: the program that makes them takes some twenty milliseconds. The namespace is held
    open by a descriptor, so it cannot be another one by accident.
    """

    def __init__(self, network: int, family: socket.AddressFamily = socket.AF_INET) -> None:
        """``network`` is a descriptor of the namespace, owned from here on."""
        self._namespace = network
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
        try:
            said, descriptors = await self._asked()
        except OSError as error:
            raise TransportError(f"there is no way into the sandbox: {error.strerror or error}") from error
        if said != namespace.READY:
            reason = said[1:].decode("utf-8", "replace") or "its helper ended without a word"
            raise TransportError(f"there is no way into the sandbox: {reason}")
        for descriptor in descriptors:
            made = socket.socket(fileno=descriptor)
            made.setblocking(False)
            self._made.append(made)
        if self._namespace < 0:  # closed meanwhile
            self.close()
            raise TransportError("the connection to the server is closed")
        self._batch = min(self._batch * 2, _MOST)

    async def _asked(self) -> tuple[bytes, list[int]]:
        """Run the program that goes in; return what it answers. Raises :class:`OSError`."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                given = (theirs.fileno(), namespace.DIAL, int(self._family), self._batch)
                argv = [sys.executable, "-I", "-S", namespace.__file__, *map(str, given)]
                running = popen(argv, env={}, pass_fds=(theirs.fileno(),))
            running.pipes.close()
            try:
                socket.send_fds(ours, [b"+"], [self._namespace])
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await running.exited
            finally:
                running.kill()
            said, descriptors, _, _ = socket.recv_fds(ours, _ANSWER_BYTES, namespace.MOST_SOCKETS)
            return said, descriptors


def into(pid: int, family: socket.AddressFamily = socket.AF_INET) -> Dialer | None:
    """Return the way into the network namespace of a process; ``None`` where it is our own.

    Raises :class:`TransportError` when the process is gone, or may not be looked at.
    """
    try:
        network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise TransportError(f"there is no way to the server: {error.strerror}") from error
    if os.fstat(network).st_ino == Path("/proc/self/ns/net").stat().st_ino:
        os.close(network)
        return None
    return Dialer(network, family)
