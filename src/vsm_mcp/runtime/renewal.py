"""What a running server has to go through for new settings to hold for it. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from vsm_mcp.runtime.spec import ServerSpec

LIMITS: Final = frozenset({"memory_bytes", "cpus", "processes", "open_files"})
"""The fields of a confinement that can be changed around a running program."""

_OF_THE_NEXT_START: Final = frozenset({"start_timeout", "known_era", "known_transport", "session", "authorizer"})


class Renewal(StrEnum):
    """Nothing, other limits for what runs, or a new start."""

    NOTHING = "nothing"
    ADAPT = "adapt"
    RESTART = "restart"


def renewal(before: ServerSpec, after: ServerSpec) -> Renewal:
    """Return what follows from the difference between how a server was started and how it would be now."""
    if _differing(before, after) - _OF_THE_NEXT_START - {"confinement"}:
        return Renewal.RESTART
    if before.confinement == after.confinement:
        return Renewal.NOTHING
    if before.confinement is None or after.confinement is None:
        return Renewal.RESTART
    return Renewal.ADAPT if _differing(before.confinement, after.confinement) <= LIMITS else Renewal.RESTART


def _differing(before: msgspec.Struct, after: msgspec.Struct) -> frozenset[str]:
    return frozenset(name for name in before.__struct_fields__ if getattr(before, name) != getattr(after, name))
