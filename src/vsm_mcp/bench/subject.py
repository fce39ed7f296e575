"""What is measured: one way to one tool, and the process that is metered meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from vsm_mcp.bench.conversation import Connect, Conversation
from vsm_mcp.bench.question import Question
from vsm_mcp.bench.tally import Tally
from vsm_mcp.errors import TransportError

Ask = Callable[[int], Question]
"""Makes the question for a size in bytes."""


class Subject:
    """One way. ``baseline`` is the key of the way it is compared with, ``""`` for none; ``pid`` the metered process."""

    def __init__(self, key: str, title: str, ask: Ask, *, baseline: str = "", pid: int | None = None) -> None:
        self.key = key
        self.title = title
        self.ask = ask
        self.baseline = baseline
        self.pid = pid
        self.tally = Tally()
        self._connect: Connect | None = None
        self._open: list[Conversation] = []

    def connecting(self, connect: Connect) -> Subject:
        """Give each client a connection and a session of its own."""
        self._connect = connect
        return self

    def sharing(self, conversation: Conversation, tally: Tally) -> Subject:
        """Let all clients share one conversation, and go on with its tally."""
        self._open, self.tally = [conversation], tally
        return self

    async def conversations(self, clients: int) -> list[Conversation]:
        """Return one conversation for each of so many clients. Raises :class:`TransportError`."""
        self._open = [each for each in self._open if not each.line.closed]
        if self._connect is None:
            if not self._open:
                raise TransportError(f"{self.title}: the program has ended", "is the machine short of memory?")
            return self._open * clients
        while len(self._open) < clients:
            self._open.append(await Conversation.over(self._connect, self.tally))
        return self._open[:clients]

    def close(self) -> None:
        """Close all conversations."""
        for each in self._open:
            each.line.close()
