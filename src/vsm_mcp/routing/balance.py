"""Which of several servers that do the same gets a call: by priority, then by weight with the fewest calls. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence

import msgspec

Load = Callable[[str], int | None]
"""Server → calls it works on now (0 for one that its next call starts), ``None`` while it cannot answer."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One of the servers of a group. ``tools`` are those of its tools that are the group's, word for word.

    ``weight`` (above 0) is its share beside those of the same ``priority``; the lowest priority is asked first.
    """

    server: str
    weight: float = 1.0
    priority: int = 0
    tools: frozenset[str] = frozenset()


def choose(members: Sequence[Member], caller: str, load: Load, *, sticky: bool) -> Member | None:
    """Return who gets a call; ``None`` only where there are no members.

    Those that can answer come before those that cannot, then those of the lowest priority; of these a ``caller`` gets
    always the same one (``sticky``, by weighted rendezvous hashing), so that only the callers of one that goes away
    move; or else the one with the fewest calls for its weight.
    """
    loads = {member.server: load(member.server) for member in members}
    able = [member for member in members if loads[member.server] is not None and member.weight > 0] or [
        member for member in members if loads[member.server] is not None
    ]
    found = able or list(members)
    if not found:
        return None
    first = min(member.priority for member in found)
    found = [member for member in found if member.priority == first]
    if sticky and caller:
        return max(found, key=lambda member: (_claim(caller, member), member.server))
    return min(found, key=lambda member: ((loads[member.server] or 0) + 1) / max(member.weight, 1e-9))


def without(members: Sequence[Member], servers: Collection[str]) -> tuple[Member, ...]:
    """Return the members that are not among ``servers``."""
    return tuple(member for member in members if member.server not in servers)


def _claim(caller: str, member: Member) -> float:
    """Return how strongly a member claims a caller: of two, each wins in proportion to its weight.

    Weighted rendezvous hashing: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables" (2005), logarithmic
    method.
    """
    text = f"{member.server}\0{caller}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return -max(member.weight, 1e-9) / math.log((number + 1) / (2**64 + 1))
