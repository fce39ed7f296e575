"""The record of contacts, and the packets that go nowhere."""

from __future__ import annotations

import ipaddress
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.model.contact import Contact, merged
from vsm_mcp.sandbox.egress import packets
from vsm_mcp.sandbox.egress.contacts import MOST, Contacts
from vsm_mcp.sandbox.egress.packets import Packet


def contact(host: str = "a.test", port: int = 443, *, allowed: bool = False, reason: str = "") -> Contact:
    return Contact(host=host, port=port, allowed=allowed, reason=reason)


def test_each_destination_is_kept_once_with_its_count() -> None:
    record = Contacts()
    assert [record.add(contact(), now) for now in (1.0, 2.0, 60.9, 61.0, 62.0)] == [True, False, False, True, False]
    assert record.add(contact(allowed=True), 63.0)
    first, second = record.all()
    assert (first.count, first.first, first.last) == (5, 1.0, 62.0)
    assert (second.count, second.allowed) == (1, True)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=300), st.integers(0, 65535)), max_size=600))
def test_it_is_bounded_and_printable_whatever_is_asked(asked: list[tuple[str, int]]) -> None:
    record = Contacts()
    for host, port in asked:
        record.add(contact(host, port), 1.0)
    found = record.all()
    assert len(found) <= MOST
    assert sum(each.count for each in found) + record.more == len(asked)
    assert all(each.host.isprintable() and len(each.host) <= 253 for each in found)


def test_a_flood_of_names_costs_no_memory() -> None:
    record = Contacts()
    news = [record.add(contact(f"{number}.evil.test", 0), 1.0) for number in range(MOST + 1000)]
    assert news.count(True) == len(record.all()) == MOST
    assert record.more == 1000


def test_records_are_merged() -> None:
    one, two = Contacts(), Contacts()
    one.add(contact(), 1.0)
    one.add(contact(), 2.0)
    two.add(contact(), 3.0)
    two.add(contact("b.test"), 4.0)
    first, second = merged((*one.all(), *two.all()))
    assert (first.host, first.count, first.first, first.last) == ("a.test", 3, 1.0, 3.0)
    assert (second.host, second.count) == ("b.test", 1)


def v4(protocol: int, address: str, port: int, options: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + options, 0, 0, 0, 0, 64, protocol, 0, b"\x7f\0\0\1", _packed(address))
    return head + b"\0" * 4 * options + struct.pack("!HH", 40000, port)


def v6(protocol: int, address: str, port: int) -> bytes:
    return struct.pack("!IHBB16s16s", 0x60000000, 0, protocol, 64, b"\0" * 16, _packed(address)) + struct.pack(
        "!HH", 40000, port
    )


def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def test_packets_are_read() -> None:
    there = ipaddress.ip_address("8.8.8.8")
    assert packets.read(v4(17, "8.8.8.8", 53)) == Packet(there, 53, udp=True)
    assert packets.read(v4(6, "8.8.8.8", 853, options=3)) == Packet(there, 853, udp=False)
    assert packets.read(v6(6, "2001:db8::1", 22)) == Packet(ipaddress.ip_address("2001:db8::1"), 22, udp=False)
    assert packets.read(v4(1, "8.8.8.8", 0)) is None


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_a_packet_or_nothing(data: bytes) -> None:
    found = packets.read(data)
    assert found is None or 0 <= found.port < 65536
