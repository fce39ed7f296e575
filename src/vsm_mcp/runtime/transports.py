"""The ways to a server that runs elsewhere: found at the plug-in point ``transports`` by the scheme of its URL."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

from vsm_mcp import plugins
from vsm_mcp.errors import BadReference
from vsm_mcp.wire.transport import Target, Transport, Ways

POINT: Final = "transports"


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
