"""Which addresses a name may not lead to: those of this machine, of its network, of the cloud it runs in. Pure.

The ranges are listed one by one: what is merely "not global" holds addresses that real registries use.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from vsm_mcp.sandbox.egress.rules import Address

_RANGES: Final = tuple(
    (ipaddress.ip_network(block), what)
    for block, what in (
        ("168.63.129.16/32", "a metadata address"),
        ("169.254.169.254/32", "a metadata address"),
        ("169.254.170.2/32", "a metadata address"),
        ("100.100.100.200/32", "a metadata address"),
        ("192.0.0.192/32", "a metadata address"),
        ("fd00:ec2::254/128", "a metadata address"),
        ("0.0.0.0/8", "an address of this machine"),
        ("127.0.0.0/8", "an address of this machine"),
        ("::/128", "an address of this machine"),
        ("::1/128", "an address of this machine"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a private address"),
        ("172.16.0.0/12", "a private address"),
        ("192.168.0.0/16", "a private address"),
        ("192.0.0.0/24", "a private address"),
        ("64:ff9b:1::/48", "a private address"),
        ("fc00::/7", "a private address"),
        ("fec0::/10", "a private address"),
        ("169.254.0.0/16", "a link-local address"),
        ("fe80::/10", "a link-local address"),
        ("198.18.0.0/15", "a private address"),
        ("224.0.0.0/4", "a multicast address"),
        ("ff00::/8", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("100::/64", "a reserved address"),
        ("2001::/32", "a tunnel"),
    )
)
_TRANSLATED: Final = (  # (range, how far its IPv4 address is from its end)
    (ipaddress.ip_network("64:ff9b::/96"), 0),
    (ipaddress.ip_network("::/96"), 0),
    (ipaddress.ip_network("2002::/16"), 80),
)


def forbidden(address: Address) -> str:
    """Return what an address is if no name may lead to it, as a noun with its article; "" for all others."""
    for block, what in _RANGES:
        if address in block:
            return what
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or _translated(address)
        return forbidden(inner) if inner is not None else ""
    return ""


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 socket shows as ``::ffff:…``; any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    for block, shift in _TRANSLATED:
        if address in block:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None
