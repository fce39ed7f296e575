"""Where the checks of one era ask: a process that they share, fresh ones where they need them, and what was seen."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from vsm_mcp.errors import TransportError
from vsm_mcp.vetting.trials.interview import ANSWER_SECONDS, CLIENT_INFO, Answer, Interview
from vsm_mcp.wire import era as eras

LISTS: Final = {
    "tools/list": ("tools", "tools"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resources", "resourceTemplates"),
    "prompts/list": ("prompts", "prompts"),
}
"""Method → the capability that promises it, and the member of its result."""
_STARTS: Final = 12
_GREETING: Final = 4.0
"""A process that is only starting gets so many times the patience."""
_TIRED: Final = 2
_TIRED_SECONDS: Final = 1.0
"""What one question may take once so many were left unanswered."""

Start = Callable[[str], Awaitable[Interview]]


class Room:
    """The state of one era's checks. ``lists`` maps each listing method to the items that it gave.

    A process gets ``grace`` seconds to end, and a question is given up after ``patience`` seconds.
    """

    def __init__(self, start: Start, era: str, grace: float, patience: float = ANSWER_SECONDS) -> None:
        self.era = era
        self.greeting = Answer({})
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.messages: list[dict[str, Any]] = []
        self.junk: list[bytes] = []
        self.unanswered = 0
        self._start = start
        self._grace = grace
        self._patience = patience
        self._talk: Interview | None = None
        self._starts = 0
        self._barred = ""

    @property
    def declared(self) -> dict[str, Any]:
        """The capabilities that it declared."""
        found = (self.greeting.result or {}).get("capabilities")
        return found if isinstance(found, dict) else {}

    @property
    def tools(self) -> list[dict[str, Any]]:
        """Its tools, as it listed them."""
        return self.lists.get("tools/list", [])

    @property
    def barred(self) -> str:
        """Why nothing more is to be asked; empty while it may be."""
        return self._barred or (self._talk.barred if self._talk is not None else "")

    async def talk(self) -> Interview:
        """Return the process that all checks share, greeted; a new one where the last is gone.

        Raises :class:`TransportError` when it does not come up, and when too many have gone.
        """
        if self._talk is not None and not self._talk.gone.is_set():
            return self._talk
        await self._close(self._talk)
        self._talk = await self._begun()
        self.greeting = await greet(self._talk)
        if not self.greeting.result:
            raise TransportError(f"it was not greeted: {self.greeting.described}")
        return self._talk

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[Interview]:
        """Lend a process of one's own that nobody greeted."""
        talk = await self._begun()
        try:
            yield talk
        finally:
            await self._close(talk)

    async def renewed(self) -> None:
        """End the shared process if it left a question unanswered: it may answer nothing any more."""
        if self._talk is not None and self._talk.unanswered:
            await self.close()

    async def close(self) -> None:
        """Leave nothing running."""
        talk, self._talk = self._talk, None
        await self._close(talk)

    async def _begun(self) -> Interview:
        self._starts += 1
        if self._starts > _STARTS:
            raise TransportError(f"it ended {_STARTS} times")
        talk = await self._start(self.era)
        tired = self.unanswered >= _TIRED
        talk.patience = min(_TIRED_SECONDS, self._patience) if tired else self._patience
        return talk

    async def _close(self, talk: Interview | None) -> None:
        if talk is not None:
            self._barred = self._barred or talk.barred
            self.messages += talk.messages
            self.junk += talk.junk
            self.unanswered += len(talk.unanswered)
            await talk.end(self._grace)


async def greet(talk: Interview, version: str = eras.LATEST_HANDSHAKE) -> Answer:
    """Shake hands in the way of the era; a modern server is asked what it is."""
    if talk.era == "modern":
        return await talk.ask("server/discover", seconds=_GREETING * talk.patience)
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO}
    answer = await talk.ask("initialize", params, seconds=_GREETING * talk.patience)
    if answer.result:
        talk.tell("notifications/initialized")
    return answer
