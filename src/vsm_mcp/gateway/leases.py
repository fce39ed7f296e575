"""Which process of a stateful server a call without a session of its own gets.

A modern client over HTTP has no session: what a server keeps belongs in the handles of its tools' arguments
(specification 2026-07-28, changelog, item 1). A server of the handshake versions may all the same keep state, or ask
its client in the middle of a call, which needs a process to itself for as long as the call lasts. So calls share
places: the first free one is taken, and calls one after another meet the same process.
"""

from __future__ import annotations


class Leases:
    """The places that are taken, by server and holder (whoever asks)."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], set[int]] = {}

    def take(self, server: str, holder: str) -> Lease:
        """Take the first free place."""
        taken = self._taken.setdefault((server, holder), set())
        place = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(place)
        return Lease(self, server, holder, place)

    def give_back(self, lease: Lease) -> None:
        """Free a place. Idempotent."""
        key = (lease.server, lease.holder)
        taken = self._taken.get(key)
        if taken is not None:
            taken.discard(lease.place)
            if not taken:
                del self._taken[key]


class Lease:
    """One place; ``session`` is the key under which the process that belongs to it is known."""

    __slots__ = ("_leases", "holder", "place", "server")

    def __init__(self, leases: Leases, server: str, holder: str, place: int) -> None:
        self._leases = leases
        self.server = server
        self.holder = holder
        self.place = place

    @property
    def session(self) -> str:
        """Return the key."""
        return f"{self.holder}#{self.place}"

    def give_back(self) -> None:
        """Free the place. Idempotent."""
        self._leases.give_back(self)
