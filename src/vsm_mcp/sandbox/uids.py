"""Which uid a server gets under a root daemon."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import tree

FIRST: Final = 64001
COUNT: Final = 900
"""64001 to 64900: below ``nobody``, in the range that Debian policy (9.2.2) keeps from ordinary users."""


class Uids:
    """Leases: by name as far as possible, and never one that lives, be it another daemon's.

    Two servers with one uid would share what the kernel counts for each uid, the limit of processes first.
    """

    def __init__(self, in_use: Callable[[], set[int]] = tree.owners) -> None:
        self._live: set[int] = set()
        self._in_use = in_use

    def lease(self, name: str) -> int:
        """Return a free uid; the same for the same name unless it is taken. Raises :class:`SandboxUnavailable`."""
        start = zlib.crc32(name.encode())
        taken = self._live | self._in_use()
        for step in range(COUNT):
            uid = FIRST + (start + step) % COUNT
            if uid not in taken:
                self._live.add(uid)
                return uid
        raise SandboxUnavailable(f"{COUNT} sandboxed processes run already", "stop some servers")

    def release(self, uid: int) -> None:
        """Give a uid back."""
        self._live.discard(uid)
