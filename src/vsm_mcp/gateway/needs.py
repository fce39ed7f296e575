"""What the gateway needs from whoever looks after needs: a note of each, and the way to a new capability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

Tell = Callable[[str], None]
"""Takes one line about how far an acquisition is."""


class Acquired(msgspec.Struct, frozen=True, kw_only=True):
    """How an acquisition for an agent ended.

    ``outcome`` is ``served``, ``quarantined``, ``rejected`` or ``failed``, or ``busy`` when it was not begun because
    too many are under way. ``person`` is what a person has to do, where a person is needed; ``evidence`` is its record.
    """

    outcome: str
    server: str = ""
    ref: str = ""
    message: str = ""
    person: str = ""
    evidence: str = ""


class Needs(Protocol):
    """Looks after what agents need."""

    @property
    def acquires(self) -> bool:
        """Whether the policy leaves room for an agent that asks for a capability."""
        ...

    def noticed(self, need: str, *, met: bool) -> None:
        """Take note that tools were looked for; neither waits nor raises."""
        ...

    async def acquire(self, need: str, tell: Tell, seconds: float) -> Acquired | None:
        """Acquire a capability; ``None`` when it is still under way after ``seconds``: it goes on, ask again.

        When the caller is cancelled and nobody else waits for the same need, what was done is taken back. Raises
        nothing that is expected: what fails is an outcome.
        """
        ...
