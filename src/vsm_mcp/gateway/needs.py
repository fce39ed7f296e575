"""What the gateway needs from whoever looks after needs: a note of each, and the way to a new capability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

Tell = Callable[[str], None]
"""Takes one line about how far an acquisition is."""


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has to agree to, and may through the client: the reference, and the question in plain text."""

    ref: str
    question: str


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """A yes that came through a client: to which reference, and whose key or line it was (``via``)."""

    ref: str
    via: str


class Acquired(msgspec.Struct, frozen=True, kw_only=True):
    """How an acquisition for an agent ended.

    ``outcome`` is ``served``, ``quarantined``, ``rejected`` or ``failed``, or ``busy`` when it was not begun because
    too many are under way. ``person`` is what a person has to do, where a person is needed; ``evidence`` is its record.
    ``consent`` is what the client may ask its person.
    """

    outcome: str
    server: str = ""
    ref: str = ""
    message: str = ""
    person: str = ""
    evidence: str = ""
    consent: Consent | None = None


class Needs(Protocol):
    """Looks after what agents need."""

    @property
    def acquires(self) -> bool:
        """Whether the policy leaves room for an agent that asks for a capability."""
        ...

    def noticed(self, need: str, *, met: bool) -> None:
        """Take note that tools were looked for; neither waits nor raises."""
        ...

    def missed(self, tool: str) -> None:
        """Take note that a tool was called that does not exist; neither waits nor raises."""
        ...

    def declined(self, need: str, via: str) -> None:
        """Take note that a person said no through a client; neither waits nor raises."""
        ...

    async def acquire(self, need: str, tell: Tell, seconds: float, agreed: Agreed | None = None) -> Acquired | None:
        """Acquire a capability, with ``agreed`` by that very reference.

        ``None`` when it is still under way after ``seconds``: it goes on, ask again. When the caller is cancelled and
        nobody else waits for the same need, what was done is taken back. Raises nothing that is expected: what fails is
        an outcome.
        """
        ...
