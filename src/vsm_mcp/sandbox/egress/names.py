"""The made-up addresses: each allowed name that is looked up gets one, and keeps it. State without I/O."""

from __future__ import annotations

import ipaddress
from typing import Final

from vsm_mcp.sandbox.egress.rules import Address

RANGE: Final = ipaddress.IPv4Network("28.0.0.0/16")
"""It has to look like any public address: servers that fetch for others refuse whatever is private, reserved or for
measurements, and rightly so. This block was given to a network that is not on the internet; and nobody outside of the
sandbox ever sees one of these addresses."""
_FIRST: Final = RANGE[1]
_MOST: Final = 4096


def made_up(text: str) -> bool:
    """Whether an address, also one written for IPv6, is one that may have been made up."""
    try:
        return ipaddress.ip_address(text.lower().removeprefix("::ffff:")) in RANGE
    except ValueError:
        return False


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
