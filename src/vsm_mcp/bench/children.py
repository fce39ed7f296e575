"""Programs of ours that are started to be measured: they die with us, and are ended in any case."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from vsm_mcp.sandbox.running import Running, collect, popen
from vsm_mcp.sandbox.tool import death_signal

_WORDS: Final = 4096
_GRACE_SECONDS: Final = 5.0


class Child:
    """One program; ``exited`` gets its return code.

    Whoever takes over its stdin and stdout closes them; until then :meth:`end` does.
    """

    def __init__(self, running: Running) -> None:
        self.exited = running.exited
        self._running = running
        self._errors = asyncio.ensure_future(collect(running.pipes.stderr, _WORDS))
        self._streams = [running.pipes.stdin, running.pipes.stdout]

    @classmethod
    def start(cls, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> Child:
        """Start a program; ``env`` is all it gets. Raises :class:`OSError`."""
        return cls(popen([*death_signal(), *argv], env=env, cwd=cwd))

    @property
    def pid(self) -> int:
        """The program itself: what sets its death signal becomes the program."""
        return self._running.pid

    def take_streams(self) -> tuple[int, int]:
        """Hand over its stdin and stdout."""
        stdin, stdout = self._streams
        self._streams = []
        return stdin, stdout

    async def last_words(self) -> str:
        """Return what it wrote on stderr, once it has ended."""
        await asyncio.wait([self._errors], timeout=_GRACE_SECONDS)
        said = self._errors.result()[0] if self._errors.done() else b""
        return said.decode("utf-8", "replace").strip()

    async def end(self) -> None:
        """Close its stdin, ask it to end, and kill it with its group if it does not."""
        for descriptor in self._streams:
            os.close(descriptor)
        self._streams = []
        self._running.send(signal.SIGTERM)
        try:
            await asyncio.wait([self.exited], timeout=_GRACE_SECONDS)
        finally:
            self._running.send_group(signal.SIGKILL)
            await asyncio.wait([self.exited])
            self._errors.cancel()
            await asyncio.wait([self._errors])


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
