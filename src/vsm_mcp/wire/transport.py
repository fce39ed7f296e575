"""What a connection needs from the bytes below it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.wire.authorizer import Authorizer

Deliver = Callable[[bytes, int | None], bool]
"""Takes one message as bytes and returns whether it answered a call that waits.

The second value is the id of the request whose answer's body or stream carried the message, ``None`` where the
transport cannot know: on a line that all messages share, and on a stream that the server was given to speak unasked.
Raises :class:`vsm_mcp.errors.ProtocolError` when it is no message.
"""

Lost = Callable[[str], None]
"""Takes the reason why nothing will arrive any more; called at most once."""


Done = Callable[[VsmError | None], None]
"""Takes what went wrong with a request, or ``None`` once its answer was delivered; called at most once."""


MakeSocket = Callable[[], Awaitable[socket.socket]]
"""Makes a TCP socket, non-blocking and not connected yet, where a server can be reached from.

That need not be this machine's own network. Raises :class:`vsm_mcp.errors.TransportError`.
"""


class Sending(Protocol):
    """A request on its way: a task that sends it, or what stands for one."""

    def cancel(self) -> object:
        """Give it up; nothing more is heard of it."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport may have to say about a message outside of it.

    ``id`` is the id of a request, ``name`` what ``Mcp-Name`` repeats, ``version`` the protocol version the message is
    sent under (``None`` while nothing is agreed on), ``arguments`` the values that ``Mcp-Param-*`` headers repeat.
    ``trace`` are header lines with the trace context of the message.
    """

    kind: Literal["request", "notification", "response"]
    method: str = ""
    id: int | None = None
    name: str | None = None
    version: str | None = None
    modern: bool = False
    arguments: Mapping[str, str] = {}
    trace: bytes = b""


class Transport(Protocol):
    """Carries messages to and from one server.

    ``kind`` is what it is called where it is remembered or shown; ``only_era`` names the era of its servers, where that
    is known beforehand. ``closing_cancels`` says that giving up a
    :meth:`send` is by itself a cancellation in the modern era, and that no message but a request can be sent there
    (specification 2026-07-28, "Transports: Streamable HTTP").
    """

    kind: str
    only_era: str | None
    closing_cancels: bool

    async def open(self, deliver: Deliver, lost: Lost) -> None:
        """Begin; raises :class:`vsm_mcp.errors.TransportError` when that fails."""

    def try_send(self, data: bytes) -> bool:
        """Send at once and without waiting if that is possible; otherwise do nothing and return ``False``."""

    def begin(self, data: bytes, head: Head, done: Done) -> Sending | None:
        """Send a request at once, where its answer comes back by a way of its own; else return ``None``.

        ``done`` is called with the error that :meth:`send` would raise, or with ``None`` after its answer.
        """

    async def send(self, data: bytes, head: Head) -> None:
        """Send a message: over stdio until it is written, over HTTP until its answer is delivered.

        Raises :class:`vsm_mcp.errors.TransportError` when it could not be sent or its answer was cut off.
        """

    async def close(self) -> None:
        """End the conversation from our side; idempotent."""


@runtime_checkable
class Holding(Protocol):
    """A transport that takes messages before it hands them on, and knows which of them it still has."""

    def held(self) -> Sequence[bytes]:
        """Return the messages of which nothing has left, oldest first."""
        ...


def unsent(trouble: VsmError) -> VsmError:
    """Return an error marked as one before which nothing was sent."""
    trouble.unsent = True
    return trouble


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is reached over a network; its URL and its headers may hold secrets.

    ``max_message`` is the most bytes that one message of it may have; ``context`` says whom to trust over TLS
    (``None``: whom the machine trusts), ``authorizer`` gets authorization where the server wants it. ``sockets`` makes
    those that lead there; the URL's host then is an address. ``None``: any socket does.
    """

    url: str
    headers: Mapping[str, str] = {}
    max_message: int = 32 * 1024 * 1024
    context: ssl.SSLContext | None = None
    authorizer: Authorizer | None = None
    sockets: MakeSocket | None = None

    def __repr__(self) -> str:
        return "Target(…)"


class Ways(Protocol):
    """What the plug-in point ``transports`` holds for a URL's scheme."""

    def __call__(self, target: Target) -> Sequence[Transport]:
        """Return the transports that may reach ``target``, the likeliest first; nothing is opened yet.

        The next one is tried when a server refuses with a status that says that it does not speak the one before.
        Raises :class:`vsm_mcp.errors.BadArgument` for what the scheme cannot carry.
        """
        ...
