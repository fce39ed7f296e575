"""The ways to a server that has a URL: found at the plug-in point ``transports`` by the URL's scheme."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Sequence
from typing import Final

from vsm_mcp import plugins
from vsm_mcp.errors import BadReference, HttpRefused, ServerDown
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Target, Transport, Ways

POINT: Final = "transports"
_NOT_SPOKEN: Final = frozenset({200, 400, 404, 405, 406})
"""How a server refuses that does not speak a transport: the three that the specification names for a POST of
``initialize``, and what a GET of something that is no stream of events may lead to."""


def schemes() -> tuple[str, ...]:
    """Return the schemes of URLs that servers can be reached by, sorted."""
    return plugins.names(POINT)


def transports_to(target: Target) -> Sequence[Transport]:
    """Return the transports that may reach a server, the likeliest first.

    Raises :class:`BadReference` for a scheme that nothing is there for, and what :class:`Ways` raises.
    """
    return _ways(target.url.partition("://")[0])(target)


@functools.cache
def _ways(scheme: str) -> Ways:
    known = schemes()
    if scheme not in known:
        raise BadReference(f"nothing here speaks {scheme}://", f"known are {', '.join(f'{name}://' for name in known)}")
    ways: Ways = plugins.load(POINT, [scheme])[scheme]
    return ways


async def first_spoken(
    ways: Iterable[Transport], name: str, seconds: float, known_era: str | None
) -> tuple[Connection, str]:
    """Connect over the first transport that a server speaks, within so many seconds; return which it was, too.

    Specification 2026-07-28, "Transports: Streamable HTTP: Backwards Compatibility". When it speaks none of them, what
    it said to the first is raised.
    """
    deadline = time.monotonic() + seconds
    refused: HttpRefused | None = None
    for way in ways:
        left = max(deadline - time.monotonic(), 0.0)
        try:
            return await connect(way, timeout=left, known_era=way.only_era or known_era), way.kind
        except HttpRefused as error:
            if error.status not in _NOT_SPOKEN:
                raise
            refused = refused or error
    raise refused or ServerDown(f"{name} has no way to be reached", "reinstall the plug-in for its address")
