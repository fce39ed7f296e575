"""Which part of the calls goes to a newcomer: the same caller always to the same side, by a stable hash."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

import msgspec

_WHOLE: Final = 10_000


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """``percent`` (0 to 100) of the calls go to ``newcomer``; ``salt`` draws other callers for each rollout.

    ``newcomer`` is the name under which the newcomer runs: another server, or ``NAME@VERSION``. ``tools`` are the names
    that the newcomer offers; what it does not offer stays where it was.
    """

    newcomer: str
    percent: float
    salt: str
    tools: Collection[str] = frozenset()

    def takes(self, caller: str) -> bool:
        """Return whether the calls of ``caller`` go to the newcomer; whoever did so keeps on when the share grows."""
        return place(self.salt, caller) < self.percent / 100


def place(salt: str, caller: str) -> float:
    """Return where a caller stands between 0 and 1; even over callers, and the same for ever."""
    digest = hashlib.blake2b(f"{salt}\0{caller}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _WHOLE / _WHOLE
