"""``vsm-mcp lock``: writes down what is served, compares it with a lock, and installs what a lock holds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.app import views
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.outcome import Outcome, Request
from vsm_mcp.config import Config
from vsm_mcp.errors import HomeError, VsmError
from vsm_mcp.events import Emit, LockNotWritten
from vsm_mcp.install import lockfile
from vsm_mcp.install.lockfile import Lock, LockedServer
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store

_PAUSE_SECONDS: Final = 0.2
_THE_SAME: Final = (
    "ref",
    "version",
    "integrity",
    "dependencies",
    "builders",
    "files",
    "settings",
    "scripts",
    "network",
)


Admit = Callable[[Request], Awaitable[Outcome]]


class Locker:
    """Keeps ``vsm-mcp.lock`` as the fleet is; ``writes`` is false where another process may change the home."""

    def __init__(
        self, config: Callable[[], Config], parts: tuple[Store, Fleet], admit: Admit, emit: Emit, *, writes: bool
    ) -> None:
        self._config = config
        self._store, self._fleet = parts
        self._admit = admit
        self._emit = emit
        self._writes = writes
        self._dirty = False
        self._task: asyncio.Task[None] | None = None

    # --- the file, after each change ----------------------------------------------------------------------------

    def later(self) -> None:
        """Take note that the fleet changed; the file is written soon, once for many changes."""
        self._dirty = self._writes
        if self._dirty and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._soon())

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._flush()

    async def _soon(self) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        while self._dirty:
            self._dirty = False
            try:
                await self._write(await self._now())
            except (VsmError, OSError) as error:
                self._emit(LockNotWritten(reason=str(error)))

    async def _write(self, lock: Lock) -> bool:
        """Put the file in place, whole or not at all; return whether it had to be. Raises :class:`HomeError`."""
        path = self._config().home / lockfile.NAME
        if not lock.servers and not path.exists():
            return False
        return await asyncio.to_thread(put_in_place, path, lockfile.dumps(lock))

    # --- the operations ------------------------------------------------------------------------------------------

    async def lock(self) -> dict[str, Any]:
        """Write the lock now and return it. Raises :class:`HomeError`."""
        lock = await self._now()
        written = await self._write(lock)
        path = str(self._config().home / lockfile.NAME)
        return {"path": path, "written": written, "lock": msgspec.to_builtins(lock)}

    async def lock_verify(self, document: str) -> dict[str, Any]:
        """Return what is served or installed otherwise than ``document`` holds; files are hashed again.

        Raises :class:`ConfigError` when that is no lock.
        """
        locked = lockfile.loads(document.encode("utf-8", "surrogateescape"))
        found = await self._now(rehash=True)
        rows = lockfile.differences(locked, found)
        other = [
            name
            for name, each in locked.servers.items()
            if name in found.servers and each.files.platform != found.servers[name].files.platform
        ]
        differing = [msgspec.to_builtins(row) for row in rows]
        return {"ok": not rows, "servers": sorted(locked.servers), "differences": differing, "files_unavailable": other}

    async def lock_install(
        self, name: str, locked: LockedServer, settings: Settings | None = None, *, yes: bool = False
    ) -> dict[str, Any]:
        """Have one server of a lock served exactly as it was locked; one that is there as it should be stays."""
        current = self._fleet.servers.get(name)
        if current is not None and not current.quarantined and await self._is(current, locked):
            return {"name": name, "ref": locked.ref, "outcome": "present", "reason": None, "evidence": ""}
        ref, given = parse_ref(locked.ref), settings or Settings()
        done = await self._admit(Request(ref=ref, settings=given, name=name, approved=yes, locked=locked))
        shown = views.outcome(done)
        return {"name": name, **{key: shown[key] for key in ("ref", "outcome", "reason", "evidence")}}

    async def _is(self, server: Server, locked: LockedServer) -> bool:
        now = await self._locked(server, rehash=True)
        return not any(item in _THE_SAME or item.startswith("pin ") for item, _, _ in lockfile.unlike(locked, now))

    async def _now(self, *, rehash: bool = False) -> Lock:
        """Return the lock of what is served."""
        served = [each for each in self._fleet.servers.values() if each.enabled and not each.quarantined]
        return Lock(servers={each.name: await self._locked(each, rehash=rehash) for each in served})

    async def _locked(self, server: Server, *, rehash: bool) -> LockedServer:
        from vsm_mcp.app.locked import locked_of  # noqa: PLC0415 - what installs, for those who change something

        home = self._config().environ.get("HOME", "")
        return await locked_of(self._store, server, home, rehash=rehash, keep=self._writes)


def put_in_place(path: Path, data: bytes) -> bool:
    """Write a file whole or not at all; return whether it had to be. Raises :class:`HomeError`."""
    partial = ""
    try:
        if path.exists() and path.read_bytes() == data:
            return False
        fd, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            if partial:
                Path(partial).unlink(missing_ok=True)
        raise HomeError(f"{path} cannot be written: {error.strerror}", "check its owner and the disk") from error
    return True
