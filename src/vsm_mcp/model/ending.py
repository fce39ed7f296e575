"""How a call of a server ended, told in one word: what breakers, rollouts, health and metrics count."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from vsm_mcp.errors import (
    HttpRefused,
    Overloaded,
    ProtocolError,
    RequestTimeout,
    RpcError,
    Throttled,
    VsmError,
)


class Ending(IntEnum):
    """Each class of outcome; the values are places in an account's counts.

    ``ANSWERED``: with a result. ``TOOL_ERROR``: with a result that says ``isError``, which is the tool's word about its
    arguments or its world, never a fault of the server. ``REFUSED``: with a JSON-RPC error. ``TIMEOUT``: not in time.
    ``TRANSPORT``: the server was not there, or went away. ``AUTH``, ``QUOTA``, ``OVERLOAD``: it was not let in, too
    often, or nobody had room. ``PROTOCOL``: with junk. ``GIVEN_UP``: by its client. ``OTHER``: anything else.
    """

    ANSWERED = 0
    TOOL_ERROR = 1
    REFUSED = 2
    TIMEOUT = 3
    TRANSPORT = 4
    AUTH = 5
    QUOTA = 6
    OVERLOAD = 7
    PROTOCOL = 8
    GIVEN_UP = 9
    OTHER = 10


FAULTS: Final = frozenset({Ending.TIMEOUT, Ending.TRANSPORT, Ending.PROTOCOL, Ending.OTHER})
"""What speaks against the server itself."""

_ENDINGS: Final = (
    (RpcError, Ending.REFUSED),
    (RequestTimeout, Ending.TIMEOUT),
    (Throttled, Ending.QUOTA),
    (Overloaded, Ending.OVERLOAD),
    (ProtocolError, Ending.PROTOCOL),
)
_AUTH: Final = frozenset({401, 403})


def ending_of(error: BaseException) -> Ending:
    """Return how a call ended that raised ``error``; anything that is no :class:`VsmError` was given up."""
    if not isinstance(error, VsmError):
        return Ending.GIVEN_UP
    if isinstance(error, HttpRefused) and error.status in _AUTH:
        return Ending.AUTH
    known = next((ending for kind, ending in _ENDINGS if isinstance(error, kind)), None)
    if known is not None:
        return known
    return Ending.TRANSPORT if error.retryable else Ending.OTHER
