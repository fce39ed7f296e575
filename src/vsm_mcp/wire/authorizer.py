"""Who may call a server that wants to know: the value of ``Authorization``, and its renewal, one for all requests."""

from __future__ import annotations

import asyncio
from typing import Protocol

from vsm_mcp.errors import HttpRefused
from vsm_mcp.wire.tasks import Tasks


class Challenged(HttpRefused):
    """A server wants authorization (401), or more of it (403 with ``insufficient_scope``).

    ``challenge`` is its ``WWW-Authenticate``, empty where it sent none (RFC 9110, section 11.6.1; RFC 6750, section 3).
    """

    def __init__(self, status: int, message: str, hint: str, challenge: str) -> None:
        super().__init__(status, message, hint)
        self.challenge = challenge


class Authorizer(Protocol):
    """Gets authorization for the requests to one server."""

    def current(self) -> str:
        """Return the value of ``Authorization`` as it is known now; empty: there is none."""
        ...

    async def renew(self, refused: Challenged) -> None:
        """Get another one than :meth:`current`, in answer to a refusal; it must end in bounded time.

        Raises :class:`vsm_mcp.errors.TransportError` when there is none to be had.
        """
        ...


class Access:
    """What the requests to one origin are authorized with: the header ``line``, empty while there is none.

    Never part of a message or an error.
    """

    def __init__(self, authorizer: Authorizer | None) -> None:
        self.line = b""
        self._authorizer = authorizer
        self._renewing: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._adopt()

    async def renewed(self, refused: Challenged, used: bytes) -> bool:
        """Return whether a request that was refused with the header line ``used`` may be sent again.

        However many are refused at a time, the authorizer is asked once. Raises what it raises.
        """
        if self._authorizer is None:
            return False
        if self._renewing is None or self._renewing.done():
            if self.line != used:
                return True
            self._renewing = self._tasks.spawn(self._renew(self._authorizer, refused))
        await asyncio.shield(self._renewing)
        return True

    async def close(self) -> None:
        """Give up a renewal that goes on."""
        await self._tasks.end()

    async def _renew(self, authorizer: Authorizer, refused: Challenged) -> None:
        await authorizer.renew(refused)
        self._adopt()

    def _adopt(self) -> None:
        value = self._authorizer.current() if self._authorizer is not None else ""
        self.line = f"Authorization: {value}\r\n".encode("ascii") if sendable(value) else b""


def sendable(value: str) -> bool:
    """Return whether a value can stand in a header: an authorization server may send anything as a token."""
    return bool(value) and value.isascii() and value.isprintable()
