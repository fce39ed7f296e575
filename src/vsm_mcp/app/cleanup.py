"""Once a minute, what nobody uses any more is removed: control groups, folders, sockets, logs, dead processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.errors import VsmError
from vsm_mcp.events import CleanedUp, Emit
from vsm_mcp.runtime import stale
from vsm_mcp.runtime.resources import snapshot
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.store import Store

PERIOD_SECONDS: Final = 60.0


class Cleanup:
    """The timer of one home; an async context manager. The caller holds the home's lock.

    ``listening`` holds the names of the sockets in ``run/`` that are in use; ``None``: that is not known. ``reaps``
    says that this process is the daemon's: in another program, dead children are that program's to wait for.
    What is in ``also`` is done each time.
    """

    def __init__(self, sandbox: Sandbox, store: Store, fleet: Fleet, emit: Emit) -> None:
        self.listening: Collection[str] | None = None
        self.reaps = False
        self.also: list[Callable[[], None]] = []
        self._sandbox = sandbox
        self._store = store
        self._fleet = fleet
        self._emit = emit
        self._dead: frozenset[tuple[int, int]] = frozenset()
        self._timer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._timer = asyncio.get_running_loop().create_task(self._watch(), name="cleanup")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])

    async def clean(self) -> CleanedUp:
        """Remove what is stale now; say so if there was anything."""
        groups, folders = await self._sandbox.tidy()
        done = CleanedUp(
            groups=groups,
            folders=folders,
            sockets=self._sockets(),
            logs=await self._logs(),
            processes=await self._reaped(),
        )
        for each in self.also:
            each()
        if any(msgspec.structs.astuple(done)):
            self._emit(done)
        return done

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            with contextlib.suppress(VsmError, OSError):  # a full disk or a busy database: a minute later, then
                await self.clean()

    def _sockets(self) -> int:
        if self.listening is None:
            return 0
        folder = self._store.home / "run"
        return _unlinked(folder, stale.sockets(_names(folder), self.listening))

    async def _logs(self) -> int:
        folder, servers = self._store.home / "logs", self._fleet.servers
        files = {name: _written(folder / name) for name in _names(folder)}
        found = stale.logs(files, servers, {name.partition(".")[0] for name in files}, time.time())
        if not found:  # as a rule: nobody has to be asked then
            return 0
        known = await self._store.sagas.servers()
        return _unlinked(folder, stale.logs(files, servers, known, time.time()))

    async def _reaped(self) -> int:
        """Wait for dead children that were dead a minute ago: as PID 1 of a container we inherit the orphans."""
        if not self.reaps:
            return 0
        table, _ = await snapshot()
        before, self._dead = self._dead, table.zombies(os.getpid())
        return _waited_for(stale.dead(self._dead, before))


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _written(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return time.time()


def _unlinked(folder: Path, names: Collection[str]) -> int:
    removed = 0
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
            removed += 1
    return removed


def _waited_for(pids: Collection[int]) -> int:
    reaped = 0
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            reaped += os.waitpid(pid, os.WNOHANG)[0] == pid
    return reaped
