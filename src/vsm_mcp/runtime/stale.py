"""What nobody uses any more, told by names and ages. Pure: nothing is stale that is not known to be ours."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

LOG_SECONDS: Final = 3600.0
"""How long a log without a server is kept: a server on trial has one before it has a name in the catalogue."""

_LOG: Final = re.compile(r"(?P<server>[a-z0-9-]+)\.log(?:\.\d+)?\Z")
_SOCKET: Final = re.compile(r"mcp(?:-[a-z0-9-]+)?\.sock\Z")


def logs(files: Mapping[str, float], servers: Collection[str], known: Collection[str], now: float) -> tuple[str, ...]:
    """Return the logs of servers that are gone: of ``files`` (name → when it was written last, as ``now``).

    ``servers`` are in the catalogue, ``known`` have been admitted or tried here at some time: a file with another name
    is somebody else's.
    """
    found = []
    for name, written in files.items():
        match = _LOG.fullmatch(name)
        if match and match["server"] in known and match["server"] not in servers and now - written >= LOG_SECONDS:
            found.append(name)
    return tuple(sorted(found))


def sockets(names: Iterable[str], listening: Collection[str]) -> tuple[str, ...]:
    """Return which of our sockets nobody listens on: of profiles that are no more."""
    return tuple(sorted(name for name in names if _SOCKET.fullmatch(name) and name not in listening))


def dead(now: frozenset[tuple[int, int]], before: frozenset[tuple[int, int]]) -> tuple[int, ...]:
    """Return the dead children (id, start) to be waited for: who waits for a child of his own does so at once."""
    return tuple(sorted(pid for pid, _ in now & before))
