"""Failed authentication, counted by address, so that whoever keeps failing is told to slow down."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

from vsm_mcp.policy import bucket
from vsm_mcp.policy.bucket import Bucket, Rate

RATE: Final = Rate(per_minute=30, burst=20)
_REMEMBERED: Final = 4096


class Failures:
    """The addresses that failed lately, at most ``remembered``: the one that failed longest ago gives way.

    Whoever has a good key or token is never held up by others that fail from the same address: behind a proxy all
    clients have one. That costs nothing, since 256 random bits are not guessed at any speed.
    """

    def __init__(self, rate: Rate = RATE, remembered: int = _REMEMBERED) -> None:
        self._rate = rate
        self._remembered = remembered
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def count(self, address: str, now: float) -> float:
        """Count a failure (``now`` in seconds of any steady clock).

        Returns 0, or the seconds until the next one is heard out.
        """
        who = _network(address)
        before = self._buckets.pop(who, None) or bucket.full(self._rate, now)
        if len(self._buckets) >= self._remembered:
            self._buckets.popitem(last=False)
        self._buckets[who], seconds = bucket.take(before, self._rate, now)
        return seconds


def _network(address: str) -> str:
    """Return what one client can hardly leave: its IPv4 address, or the first half of its IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped is not None else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
