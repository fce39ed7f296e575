"""Where a name may not lead."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.sandbox.egress.addresses import forbidden, plain
from vsm_mcp.sandbox.egress.names import RANGE, Names
from vsm_mcp.sandbox.egress.resolve import own


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "this machine"), ("127.255.0.9", "this machine"), ("::1", "this machine"),
        ("0.1.2.3", "this machine"), ("::", "this machine"), ("::ffff:127.0.0.1", "this machine"),
        ("::7f00:1", "this machine"), ("64:ff9b::7f00:1", "this machine"), ("2002:7f00:1::", "this machine"),
        ("169.254.169.254", "metadata"), ("fd00:ec2::254", "metadata"), ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"), ("::ffff:169.254.169.254", "metadata"), ("64:ff9b::a9fe:a9fe", "metadata"),
        ("169.254.1.1", "link-local"), ("fe80::1", "link-local"),
        ("10.0.0.1", "private"), ("172.16.0.1", "private"), ("192.168.1.1", "private"), ("100.64.0.1", "private"),
        ("fd12:3456::1", "private"), ("64:ff9b:1::1", "private"), ("2002:a00:1::", "private"),
        ("198.18.0.1", "private"), ("224.0.0.1", "multicast"), ("ff02::1", "multicast"),
        ("255.255.255.255", "reserved"), ("2001:0:1::1", "tunnel"),
    ],
)  # fmt: skip
def test_what_no_name_may_lead_to(address: str, what: str) -> None:
    assert what in forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "172.32.0.1", "192.0.2.7", "203.0.113.9", "198.51.100.4", "2001:db8::1", "2606:4700::1",
     "64:ff9b::5db8:d822", "2002:5db8:d822::", "::ffff:93.184.216.34"],
)  # fmt: skip
def test_all_others_are_public_those_of_documentation_too(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address)) == ""


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_address_is_the_same_in_both_dresses(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert plain(mapped) == plain(address) == address
    assert forbidden(mapped) == forbidden(address)


@settings(deadline=None)
@given(st.ip_addresses())
def test_nothing_private_slips_through(address: ipaddress.IPv4Address) -> None:
    documentation = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", "5f00::/16")
    translated = ("2001::/23", "2002::/16", "::ffff:0:0/96")  # Python counts all of these as private
    if address.is_private and not any(address in ipaddress.ip_network(block) for block in documentation + translated):
        assert forbidden(address)
    if address.is_loopback or address.is_link_local or address.is_multicast:
        assert forbidden(address)


def test_own_addresses_are_told_from_others() -> None:
    assert own(ipaddress.ip_address("127.0.0.1"))
    assert not own(ipaddress.ip_address("192.0.2.1"))
    assert not own(ipaddress.ip_address("2001:db8::1"))


def test_made_up_addresses_are_kept_and_never_shared() -> None:
    names = Names()
    given_out = {name: names.address(name) for name in (f"{number}.test" for number in range(4096))}
    assert len(set(given_out.values())) == 4096
    assert names.address("one-more.test") is None
    for name, address in given_out.items():
        assert address is not None
        assert address in RANGE
        assert address.is_global
        assert not forbidden(address)
        assert names.address(name) == address
        assert names.name(address) == name
    assert names.name(ipaddress.ip_address("198.19.255.1")) == ""
