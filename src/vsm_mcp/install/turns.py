"""Whose turn it is to install: so many at a time, and of one thing only once at a time.

Of two that want the same thing, the second waits for the first. The lock is one of the kernel's, on a file of the home:
it cannot outlive its holder, and holds against other programs that embed this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from vsm_mcp.errors import BadArgument
from vsm_mcp.install.files import home_errors

_POLL_SECONDS: Final = 0.1


class Turns:
    """The turns of one home; ``at_once`` may be changed at any time, and counts for those that come then."""

    def __init__(self, home: Path, at_once: int) -> None:
        self.at_once = at_once
        self._folder = home / "run" / "turns"
        self._claims: dict[str, str] = {}
        self._working = 0
        self._freed = asyncio.Condition()

    @property
    def working(self) -> int:
        """How many have their turn now."""
        return self._working

    @contextlib.asynccontextmanager
    async def turn(self, identity: str) -> AsyncIterator[None]:
        """Wait until ``identity`` may be installed, and hold that until the end of the block.

        Raises :class:`HomeError` where the home cannot be written.
        """
        async with self._alone(identity), self._place():
            try:
                yield
            finally:
                self._claims = {name: owner for name, owner in self._claims.items() if owner != identity}

    def claim(self, name: str, identity: str) -> None:
        """Reserve the name of a server for the rest of a turn. Raises :class:`BadArgument` if it is another's."""
        if self._claims.setdefault(name, identity) != identity:
            raise BadArgument(f"another server is being added as {name}", "give another --name, or wait for its end")

    def claimed(self, identity: str) -> frozenset[str]:
        """Return the names that others have reserved."""
        return frozenset(name for name, owner in self._claims.items() if owner != identity)

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        async with self._freed:
            await self._freed.wait_for(lambda: self._working < self.at_once)
            self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            async with self._freed:
                self._freed.notify_all()

    @contextlib.asynccontextmanager
    async def _alone(self, identity: str) -> AsyncIterator[None]:
        path = self._folder / hashlib.sha256(identity.encode()).hexdigest()[:32]
        with home_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            while (descriptor := _locked(path)) < 0:  # noqa: ASYNC110 - the kernel has no event for this
                await asyncio.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # a file that stays is locked by nobody
                path.unlink()
            os.close(descriptor)


def _locked(path: Path) -> int:
    """Return the descriptor of the locked file, or -1 if another holds it, or took it away in between."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return -1
