"""The head of a packet that went nowhere → what it was for. Pure."""

from __future__ import annotations

import ipaddress
from typing import Final

import msgspec

from vsm_mcp.sandbox.egress.addresses import plain
from vsm_mcp.sandbox.egress.rules import Address

_TCP, _UDP = 6, 17
_V6_HEADER: Final = 40


class Packet(msgspec.Struct, frozen=True):
    """Where a packet was sent, by TCP (the wish for a connection) or by UDP."""

    address: Address
    port: int
    udp: bool


def read(data: bytes) -> Packet | None:
    """Read a packet from its network header on; ``None`` for what is neither TCP nor UDP."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20:
        protocol, start = data[9], 4 * (data[0] & 0xF)
        address: Address = ipaddress.IPv4Address(data[16:20])
    elif version == 6 and len(data) >= _V6_HEADER:
        protocol, start = data[6], _V6_HEADER
        address = plain(ipaddress.IPv6Address(data[24:40]))
    else:
        return None
    ports = data[start : start + 4]
    if protocol not in (_TCP, _UDP) or len(ports) < 4:
        return None
    return Packet(address, int.from_bytes(ports[2:]), protocol == _UDP)
