"""Looking whether a file of settings changed, and reading it again when it did, or when somebody asks (SIGHUP)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from vsm_mcp.app import declared, reloading
from vsm_mcp.app.application import App
from vsm_mcp.app.declared import ACTOR
from vsm_mcp.app.notify import Notifier
from vsm_mcp.errors import VsmError
from vsm_mcp.model.beat import until_beat

log = logging.getLogger(__name__)

_SETTLING_SECONDS: Final = 0.5
_BLIND_SECONDS: Final = 5.0  # how soon it is noticed that files shall be looked at again


class Mark(NamedTuple):
    """What tells one content of a file from another without reading it; all zero: there is no file.

    Editors write a new file and rename it: then it is another inode.
    """

    modified: int = 0
    size: int = 0
    inode: int = 0


def mark(path: Path) -> Mark:
    """Return the mark of a file."""
    try:
        found = path.stat()
    except OSError:
        return Mark()
    return Mark(found.st_mtime_ns, found.st_size, found.st_ino)


class Files:
    """Some files, and what they were like when they were read last. A file has changed once it has ``settled``.

    A look that finds a file changed waits for the next look to find it the same: whoever writes may not be done.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._read = {path: mark(path) for path in paths}
        self._seen = dict(self._read)
        self.settled = True

    def taken(self) -> None:
        """Take note that they are read now, whatever they are like."""
        self._read = self._seen = {path: mark(path) for path in self._read}
        self.settled = True

    def changed(self) -> bool:
        """Look; return whether something differs from what was read last, and has settled."""
        now = {path: mark(path) for path in self._read}
        self.settled = now == self._seen
        self._seen = now
        if not self.settled or now == self._read:
            return False
        self._read = now
        return True


class Watcher:
    """The timer that looks at one file; an async context manager. :meth:`hurry` has it read at once.

    ``act`` reads it; it is called with whether somebody asked. ``seconds`` gives how often to look (0: never).
    """

    def __init__(self, path: Path, act: Callable[[bool], Awaitable[object]], seconds: Callable[[], float]) -> None:
        self._name = path.name
        self._files = Files([path])
        self._act = act
        self._seconds = seconds
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._watch(), name=f"looks at {self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def hurry(self) -> None:
        """Read the file now, whether it changed or not."""
        self._hurry.set()

    async def _watch(self) -> None:
        while True:
            seconds = self._seconds()
            rest = until_beat(seconds or _BLIND_SECONDS, asyncio.get_running_loop().time())
            asked = await self._asked(rest if self._files.settled else min(rest, _SETTLING_SECONDS))
            if asked:
                self._files.taken()
            elif not seconds or not self._files.changed():
                continue
            try:
                await self._act(asked)
            except VsmError:
                pass  # an event says why, and so does the journal
            except Exception:  # a fault of ours costs one reading, not all that come after it
                log.exception("%s was not read to its end", self._name)

    async def _asked(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        asked = self._hurry.is_set()
        self._hurry.clear()
        return asked


@contextlib.asynccontextmanager
async def watching(app: App, notifier: Notifier) -> AsyncIterator[Callable[[], None]]:
    """Follow the files of a home for as long as the context lasts; gives what has all of them read at once."""

    async def settings(_asked: bool) -> None:
        notifier.reloading()
        try:
            await app.reloader.reload(ACTOR)
        finally:
            if app.address:  # else it is not yet ready
                notifier.ready(f"serving MCP at {app.address}")

    async def servers(asked: bool) -> None:
        await app.declared.sync(afresh=asked)

    def seconds() -> float:
        return app.config.runtime.watch_seconds

    home = app.config.home
    async with (
        Watcher(home / reloading.FILE, settings, seconds) as first,
        Watcher(home / declared.FILE, servers, seconds) as second,
    ):

        def all_of_them() -> None:
            first.hurry()
            second.hurry()

        second.hurry()  # what it asks for is admitted while others are served
        yield all_of_them
