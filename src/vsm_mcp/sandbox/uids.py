"""Which uid a server gets under a root daemon."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from typing import Final

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import tree

FIRST: Final = 64001
COUNT: Final = 900
"""64001 to 64900: below ``nobody``, in the range that Debian policy (9.2.2) keeps from ordinary users."""


def is_a_servers(uid: int) -> bool:
    """Return whether a uid is one of those that servers get."""
    return FIRST <= uid < FIRST + COUNT


class Uids:
    """Leases: by name as far as possible, and never one that lives, be it another daemon's.

    Two servers with one uid would share what the kernel counts for each uid, the limit of processes first. Processes
    that have one home share it all the same: what one writes there belongs to the others.
    """

    def __init__(self, in_use: Callable[[], set[int]] = tree.owners) -> None:
        self._live: Counter[int] = Counter()
        self._of_home: dict[str, int] = {}
        self._in_use = in_use

    def lease(self, name: str, home: str = "") -> int:
        """Return a free uid; the same for the same name unless it is taken. Raises :class:`SandboxUnavailable`.

        Those that live and have the same kept ``home`` get one and the same.
        """
        uid = self._of_home[home] if home in self._of_home else self._free(name)
        self._live[uid] += 1
        if home:
            self._of_home[home] = uid
        return uid

    def release(self, uid: int) -> None:
        """Give a uid back."""
        self._live[uid] -= 1
        if self._live[uid] <= 0:
            del self._live[uid]
            self._of_home = {home: held for home, held in self._of_home.items() if held != uid}

    def _free(self, name: str) -> int:
        start = zlib.crc32(name.encode())
        taken = self._live.keys() | self._in_use()
        for step in range(COUNT):
            uid = FIRST + (start + step) % COUNT
            if uid not in taken:
                return uid
        raise SandboxUnavailable(f"{COUNT} sandboxed processes run already", "stop some servers")
