"""Which hosts are this machine itself. Pure."""

from __future__ import annotations

import ipaddress


def on_loopback(host: str) -> bool:
    """Whether a name or an address (IPv6 without brackets) stands for this machine, and for no other."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
