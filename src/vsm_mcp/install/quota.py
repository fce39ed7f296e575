"""How much the installations of a home may take on disk: looked at before one begins, and while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from vsm_mcp.errors import HomeError
from vsm_mcp.install.files import tree_size

_LEAST_PAUSE_SECONDS: Final = 0.25
_SHARE: Final = 20
"""A look takes at most one part in so many of the time: a hundred thousand files take a second."""

_NAMED: Final = 3
_UNITS: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


class QuotaExceeded(HomeError):
    """The installations would take more of the disk than ``[install] quota_bytes`` allows."""

    code = "quota_exceeded"
    remedy = "vsm-mcp remove NAME, or raise [install] quota_bytes"


class Quota:
    """The quota of one home. ``limit`` is in bytes (0: none), and may be changed at any time."""

    def __init__(self, home: Path, limit: int) -> None:
        self.limit = limit
        self._installations = home / "installations"
        self._folders = (self._installations, home / "run" / "staging", home / "run" / "work")

    def taken(self) -> int:
        """Return the bytes that are taken, what is being installed included. Blocks."""
        return sum(map(tree_size, self._folders))

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Cancel the block when the quota is used up, before it begins or meanwhile.

        Raises :class:`QuotaExceeded`, which names what would free space.
        """
        if not self.limit:
            yield
            return
        await self._check(self.limit)
        watching: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(None) as bound:
                watching = asyncio.get_running_loop().create_task(self._watch(bound), name="quota")
                yield
        except TimeoutError:
            if not bound.expired():
                raise
            raise await asyncio.to_thread(self._exceeded) from None
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.wait([watching])
        await self._check(self.limit + 1)

    async def _check(self, limit: int) -> None:
        if self.limit and await asyncio.to_thread(self.taken) >= limit:
            raise await asyncio.to_thread(self._exceeded)

    async def _watch(self, bound: asyncio.Timeout) -> None:
        while True:
            began = time.monotonic()
            if self.limit and await asyncio.to_thread(self.taken) > self.limit:
                bound.reschedule(asyncio.get_running_loop().time())
                return
            await asyncio.sleep(max(_LEAST_PAUSE_SECONDS, _SHARE * (time.monotonic() - began)))

    def _exceeded(self) -> QuotaExceeded:
        folders = self._installations.iterdir() if self._installations.is_dir() else ()
        # what is being installed, and will be undone, has no current version yet: nobody can remove it
        sizes = {each.name: tree_size(each) for each in folders if (each / "current").is_symlink()}
        largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:_NAMED]
        named = ", ".join(f"{name} ({written(sizes[name])})" for name in largest if sizes[name])
        return QuotaExceeded(
            f"installations may take {written(self.limit)} ([install] quota_bytes), and need more",
            f"vsm-mcp remove NAME frees space: {named}; or raise the quota" if named else "raise [install] quota_bytes",
        )


def written(size: int) -> str:
    """Return a number of bytes for people."""
    for unit, factor in _UNITS:
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
