"""What isolation this machine gives, property by property."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from vsm_mcp.sandbox.cgroup import Layout


class Tier(StrEnum):
    """The word for the whole; the properties say what it means here."""

    FULL = "full"
    FULL_SOFT = "full-soft"
    NONE = "none"


class Property(StrEnum):
    """How far one property holds: by the kernel, by a watchdog that can be outrun, or not at all."""

    ENFORCED = "enforced"
    SOFT = "soft"
    OFF = "off"


PROPERTIES: Final = ("filesystem", "network", "memory", "cpu", "pids", "processes", "syscalls")


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """What the self-test found.

    ``properties`` maps each of :data:`PROPERTIES` to a :class:`Property` value; ``reasons`` say why something is not
    enforced; ``remedies`` are commands or settings that would improve it. ``mechanism`` is ``root`` (the daemon is
    root: a uid of its own for each server), ``userns`` (an ordinary user: a user namespace) or ``none``. The other
    fields are for :class:`~vsm_mcp.sandbox.child.Sandbox`.
    """

    tier: Tier
    properties: dict[str, str]
    reasons: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    mechanism: str = "none"
    bwrap: str = ""
    lock_userns: bool = True
    cgroup: Layout | None = None


def properties_of(tier: Tier, *, cpu: bool = False) -> dict[str, str]:
    """Return what a tier enforces; ``cpu`` says whether its control groups can limit that, too."""
    if tier is Tier.NONE:
        return dict.fromkeys(PROPERTIES, Property.OFF.value) | {"memory": Property.SOFT.value}
    found = dict.fromkeys(PROPERTIES, Property.ENFORCED.value)
    if tier is Tier.FULL_SOFT:
        found["memory"] = Property.SOFT.value
    if tier is Tier.FULL_SOFT or not cpu:
        found["cpu"] = Property.OFF.value
    return found
