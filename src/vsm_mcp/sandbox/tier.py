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
    CONTAINER = "container"
    REDUCED = "reduced"
    NONE = "none"

    def reaches(self, least: str) -> bool:
        """Whether it gives at least what the tier ``least`` gives."""
        order = list(Tier)
        return order.index(self) <= order.index(Tier(least))

    @property
    def passes_signals_on(self) -> bool:
        """Whether what we start says by its exit code which signal ended the program."""
        return self.reaches(Tier.CONTAINER)


class Property(StrEnum):
    """How far one property holds: by the kernel, by a watchdog that can be outrun, or not at all."""

    ENFORCED = "enforced"
    SOFT = "soft"
    OFF = "off"


PROPERTIES: Final = ("filesystem", "network", "memory", "cpu", "pids", "processes", "syscalls")


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """Why some properties are not enforced here, and what would help: commands or settings, the best one first.

    ``properties`` is empty where it is the tier as a whole that could be better.
    """

    reason: str
    properties: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """What the self-test found.

    ``properties`` maps each of :data:`PROPERTIES` to a :class:`Property` value; ``lacks`` say why something is not
    enforced, and what would help. ``mechanism`` is ``root`` (the daemon is root: a uid of its own for each server),
    ``userns`` (an ordinary user: a user namespace), ``landlock``, ``seatbelt`` or ``none``. The other fields are for
    :class:`~vsm_mcp.sandbox.child.Sandbox`; ``landlock`` is its version, and ``canary`` a file for the self-test.
    """

    tier: Tier
    properties: dict[str, str]
    lacks: tuple[Lack, ...] = ()
    mechanism: str = "none"
    bwrap: str = ""
    lock_userns: bool = True
    cgroup: Layout | None = None
    landlock: int = 0
    canary: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why something is not enforced."""
        return tuple(lack.reason for lack in self.lacks)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What would help, each once."""
        return tuple(dict.fromkeys(remedy for lack in self.lacks for remedy in lack.remedies))

    def holding(self, *, sockets: bool, unsandboxed: bool) -> Tier:
        """Return the tier that a server gets; ``sockets`` says that it reaches for hosts, or listens.

        Without namespaces there are none: what needs one runs at ``none`` if a person permitted that.
        """
        return Tier.NONE if self.tier is Tier.REDUCED and sockets and unsandboxed else self.tier


def properties_of(tier: Tier, *, group: bool = False, cpu: bool = False, own_uid: bool = False) -> dict[str, str]:
    """Return what a tier enforces.

    ``group`` says whether there are control groups, ``cpu`` whether they can limit that, too, and ``own_uid`` whether
    each server has a uid of its own, which the kernel counts processes by.
    """
    if tier is Tier.NONE:
        return dict.fromkeys(PROPERTIES, Property.OFF.value) | {"memory": Property.SOFT.value}
    found = dict.fromkeys(PROPERTIES, Property.ENFORCED.value)
    if tier is Tier.CONTAINER:
        return found
    if not group:
        found["memory"] = Property.SOFT.value
    if not (group and cpu):
        found["cpu"] = Property.OFF.value
    if tier is Tier.REDUCED and not group:
        found["processes"] = Property.SOFT.value
        if not own_uid:
            found["pids"] = Property.SOFT.value
    return found
