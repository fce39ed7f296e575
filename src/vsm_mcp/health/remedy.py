"""A remedy: the plug-in point ``vsm_mcp.remedies``."""

from __future__ import annotations

from typing import Protocol

import msgspec

from vsm_mcp.model.action import ActionKind
from vsm_mcp.runtime.unit import Before, nothing


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """A server that something is wrong with.

    ``remote`` says that it runs elsewhere, ``running`` that a process or a conversation is there, ``installed`` that
    its files are ours to make again, ``personal`` that only a person can mend it (a wrong value, a missing login).
    """

    name: str
    remote: bool = False
    running: bool = False
    installed: bool = False
    personal: bool = False


class Done(msgspec.Struct, frozen=True):
    """What a remedy did, as a clause. ``renews``: another process runs now; ``stands_in``: who does its work."""

    detail: str
    renews: bool = True
    stands_in: tuple[str, ...] = ()


class Ward(Protocol):
    """What remedies do things with."""

    async def change_over(
        self, name: str, reason: str, before: Before = nothing, patience: float | None = None
    ) -> None:
        """Start anew what runs; see :meth:`Runtime.change_over <vsm_mcp.runtime.supervisor.Runtime.change_over>`."""
        ...

    async def reinstall(self, name: str) -> str:
        """Install again exactly what was locked, and have that run; return what was done. Raises :class:`VsmError`."""
        ...

    async def replace(self, name: str) -> tuple[str, ...]:
        """Return who can do its work, and is well. Raises :class:`VsmError` where nobody is."""
        ...


class Remedy(Protocol):
    """One way to mend a server: its ``kind`` of action, for the policy, and how many ``tries`` it has.

    ``starts`` says that it starts a process, which the whole fleet may do so and so often. ``gentle`` ones hurt no
    call, so they may be used on a server that works still.
    """

    kind: ActionKind
    tries: int
    starts: bool
    gentle: bool

    def applies(self, patient: Patient) -> bool:
        """Whether it could help."""
        ...

    async def apply(self, patient: Patient, ward: Ward) -> Done:
        """Do it; return what was done. Raises :class:`VsmError` where it could not be."""
        ...
