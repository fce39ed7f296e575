"""What a request says about itself in ``_meta``, read once for all requests that say the same.

A client repeats its envelope with every request (specification 2026-07-28, "Overview: _meta"), so what follows from one
is kept and worked out when it is first wanted. Bounded: the 256 that were used last, none of more than 1 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.gateway import capabilities
from vsm_mcp.gateway.capabilities import Capabilities
from vsm_mcp.wire import era

_MOST: Final = 256
_LONGEST: Final = 1024
_MODERN: Final = Raw(msgspec.json.encode(era.MODERN))
_OURS: Final = frozenset(
    {era.META_PROTOCOL, era.META_CLIENT_INFO, era.META_CLIENT_CAPABILITIES, era.META_LOG_LEVEL, "progressToken"}
)
"""Members of a client's ``_meta`` that are written anew for the next hop."""

_decode: Final = msgspec.json.Decoder(dict[str, Raw]).decode


class Said:
    """One ``_meta``: ``members`` are raw, and belong to every request that says the same; they are never changed."""

    def __init__(self, members: Mapping[str, Raw]) -> None:
        self.members = members
        self.whole = era.META_CLIENT_CAPABILITIES in members and members.get(era.META_PROTOCOL) == _MODERN
        """Whether this is all that a request of the modern era has to say."""
        self.token = members.get("progressToken")
        self.level = members.get(era.META_LOG_LEVEL)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the client can do in the middle of the request."""
        return capabilities.read(self.members.get(era.META_CLIENT_CAPABILITIES))

    @cached_property
    def onward(self) -> Mapping[str, Raw]:
        """What the client means for the server: all that does not speak about the hop between the client and us."""
        return {member: value for member, value in self.members.items() if member not in _OURS}


def read(raw: Raw) -> Said:
    """Read a ``_meta``. Raises what msgspec raises for anything but an object."""
    said = bytes(raw)
    return _known(said) if len(said) <= _LONGEST else Said(_decode(said))


@lru_cache(_MOST)
def _known(raw: bytes) -> Said:
    return Said(_decode(raw))
