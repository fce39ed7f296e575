"""What a connection needs from the bytes below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

Deliver = Callable[[bytes], bool]
"""Takes one message as bytes and returns whether it answered a call that waits.

Raises :class:`vsm_mcp.errors.ProtocolError` when it is no message.
"""

Lost = Callable[[str], None]
"""Takes the reason why nothing will arrive any more; called at most once."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport may have to say about a message outside of it.

    ``id`` is the id of a request, ``name`` what ``Mcp-Name`` repeats, ``version`` the protocol version the message is
    sent under (``None`` while nothing is agreed on), ``arguments`` the values that ``Mcp-Param-*`` headers repeat.
    """

    kind: Literal["request", "notification", "response"]
    method: str = ""
    id: int | None = None
    name: str | None = None
    version: str | None = None
    modern: bool = False
    arguments: Mapping[str, str] = {}


class Transport(Protocol):
    """Carries messages to and from one server.

    ``closing_cancels`` says that giving up a :meth:`send` is by itself a cancellation in the modern era, and that no
    message but a request can be sent there (specification 2026-07-28, "Transports: Streamable HTTP").
    """

    closing_cancels: bool

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Begin; raises :class:`vsm_mcp.errors.TransportError` when that fails."""

    def try_send(self, data: bytes) -> bool:
        """Send at once and without waiting if that is possible; otherwise do nothing and return ``False``."""

    async def send(self, data: bytes, head: Head) -> None:
        """Send a message: over stdio until it is written, over HTTP until its answer is delivered.

        Raises :class:`vsm_mcp.errors.TransportError` when it could not be sent or its answer was cut off.
        """

    async def close(self) -> None:
        """End the conversation from our side; idempotent."""
