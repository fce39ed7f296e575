"""The made-up addresses: each allowed name that is looked up gets one, and keeps it. State without I/O."""

from __future__ import annotations

import ipaddress
from typing import Final

from vsm_mcp.sandbox.egress.rules import Address

RANGE: Final = ipaddress.IPv4Network("198.18.0.0/15")
"""For measuring networks (RFC 2544): nothing real is there."""
_FIRST: Final = RANGE[1]
_MOST: Final = 4096


class Names:
    """Who is behind a made-up address: at most 4096 names, none ever given up for another."""

    def __init__(self) -> None:
        self._addresses: dict[str, ipaddress.IPv4Address] = {}
        self._names: dict[Address, str] = {}

    def address(self, name: str) -> ipaddress.IPv4Address | None:
        """Return the address of a name; ``None`` when there are too many."""
        known = self._addresses.get(name)
        if known is None and len(self._addresses) < _MOST:
            known = _FIRST + len(self._addresses)
            self._addresses[name] = known
            self._names[known] = name
        return known

    def name(self, address: Address) -> str:
        """Return the name behind an address, or ""."""
        return self._names.get(address, "")
