"""All authorizations of one home, and the way in which a person gives one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from vsm_mcp.authorization.authorizer import Challenged, OAuth, Person, client_of
from vsm_mcp.authorization.grant import Grant, Kept


class Authorizations:
    """Makes the authorizers of servers; those of one address share what is kept, and renew it one at a time."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._locks: dict[str, asyncio.Lock] = {}

    def to(self, url: str, given: Mapping[str, str]) -> OAuth:
        """Return the authorizer of the server at ``url``; ``given`` are the values of :data:`NAMES` for it."""
        return self._oauth(url, given, None)

    async def agreed(self, url: str, given: Mapping[str, str], refused: Challenged, person: Person) -> None:
        """Have a person agree that we call the server at ``url``, in answer to how it refused us; keep the tokens.

        Raises :class:`vsm_mcp.errors.TransportError` when that comes to nothing; what was kept before still is, then.
        """
        await self._oauth(url, given, person).agree(refused)

    def forget(self, url: str) -> None:
        """Remove what is kept for the server at ``url``."""
        Grant(self._kept, url).forget()

    def _oauth(self, url: str, given: Mapping[str, str], person: Person | None) -> OAuth:
        lock = self._locks.setdefault(url, asyncio.Lock())
        return OAuth(url, self._kept, client=client_of(given), person=person, lock=lock)
