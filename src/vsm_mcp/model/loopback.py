"""Which hosts are this machine itself. Pure."""

from __future__ import annotations

import ipaddress


def on_loopback(host: str) -> bool:
    """Whether a name or an address stands for this machine, and for no other.

    IPv6 may stand in one pair of brackets, as in a URL. Keys are not asked for, and tokens go without TLS, where this
    is true: so it is nothing but ``localhost`` and the addresses of 127.0.0.0/8 and ::1 (RFC 6761, RFC 4291). A name
    with a last dot, or an address with a zone, goes other ways and is not taken.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") and ":" in host else host
    try:
        return "%" not in bare and ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return host.lower() == "localhost"
