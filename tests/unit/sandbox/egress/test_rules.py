"""What a person wrote, and what it admits."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.errors import BadArgument
from vsm_mcp.sandbox.egress.rules import AllowList, allow_list, canonical, parse, written

PORTS = st.integers(1, 65535)
LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(canonical)
ADDRESS = st.ip_addresses().filter(lambda address: not address.is_multicast and not address.is_unspecified)


@pytest.mark.parametrize(
    ("text", "host", "ports"),
    [
        ("api.example.com", "api.example.com", (80, 443)),
        ("API.Example.COM.:8443", "api.example.com", (8443,)),
        ("bücher.example", "xn--bcher-kva.example", (80, 443)),
        ("*.example.com:443", "*.example.com", (443,)),
        ("localhost:8080", "localhost", (8080,)),
        ("_service.example.com", "_service.example.com", (80, 443)),
        ("10.0.0.5:80", "10.0.0.5", (80,)),
        ("10.0.0.0/8:5432", "10.0.0.0/8", (5432,)),
        ("2001:db8::1", "2001:db8::1", (80, 443)),
        ("[2001:DB8::1]:53", "2001:db8::1", (53,)),
        ("[2001:db8::1]", "2001:db8::1", (80, 443)),
        ("fd00::/8", "fd00::/8", (80, 443)),
    ],
)
def test_hosts_as_people_write_them(text: str, host: str, ports: tuple[int, ...]) -> None:
    rule = parse(text)
    assert (rule.host, rule.ports) == (host, ports)


@pytest.mark.parametrize(
    "text",
    [
        "", ":443", "*", "*:443", "*.", "*.*.com", "a*.example.com", "https://example.com", "example.com/path",
        "example.com:0", "example.com:65536", "example.com:http", "example.com:", "example.com:١", "[::1", "[::1]443",
        "a..b", "-a.com", "a" * 64, ".".join(["a" * 60] * 5), "user@example.com", "a b", "1.2.3", "1.2.3.4.5", "0x7f.1",
        "10.0.0.5/8", "::", "224.0.0.1", "ff02::1", "fe80::1%eth0", "exa\nmple.com",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(BadArgument) as caught:
        parse(text)
    assert repr(text) in caught.value.message


@settings(deadline=None)
@given(NAME, PORTS, PORTS)
def test_a_name_is_admitted_at_its_port_only(name: str, port: int, other: int) -> None:
    allowed = allow_list([f"{name}:{port}"])
    assert allowed.knows(name)
    assert allowed.name(name, other) == (port == other)
    assert not allowed.knows(f"x{name}")
    assert not allowed.knows(f"x.{name}")


@settings(deadline=None)
@given(NAME, NAME)
def test_a_wildcard_admits_what_is_below_it_not_itself(name: str, below: str) -> None:
    allowed = allow_list([f"*.{name}"])
    assert allowed.name(f"{below}.{name}", 443)
    assert not allowed.knows(name)
    assert not allowed.knows(f"{below}{name}") or f"{below}{name}".endswith(f".{name}")


@settings(deadline=None)
@given(ADDRESS, ADDRESS, PORTS)
def test_an_address_is_admitted_if_it_was_written(address: ipaddress.IPv4Address, other: object, port: int) -> None:
    allowed = allow_list([written(str(address), port)])
    assert allowed.address(address, port)
    assert not allowed.address(address, port % 65535 + 1)
    assert not allowed.knows(str(address))
    assert allow_list([written(str(other), port)]).address(address, port) == (address == other)


@settings(deadline=None)
@given(st.sampled_from(["localhost", "127.0.0.1", "::1"]), st.sampled_from(["127.0.0.1", "::1"]))
def test_the_names_of_this_machine_stand_for_each_other(written_as: str, address: str) -> None:
    allowed = allow_list([written(written_as, 5432)])
    assert allowed.address(ipaddress.ip_address(address), 5432)
    assert not allowed.address(ipaddress.ip_address("127.0.0.2"), 5432)


def test_blocks_hold_their_addresses() -> None:
    allowed = allow_list(["10.0.0.0/8:80", "[fd00::/8]:80"])
    for address, expected in (("10.255.0.1", True), ("11.0.0.1", False), ("fd12::1", True), ("fe80::1", False)):
        assert allowed.address(ipaddress.ip_address(address), 80) is expected


@settings(deadline=None)
@given(NAME, PORTS)
def test_nothing_is_admitted_by_nothing(name: str, port: int) -> None:
    assert not AllowList()
    assert not AllowList().knows(name)
    assert not AllowList().name(name, port)
    assert not AllowList().address(ipaddress.ip_address("127.0.0.1"), port)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_an_error_that_quotes_it(text: str) -> None:
    try:
        rule = parse(text)
    except BadArgument as error:
        assert repr(text) in error.message
    else:
        assert parse(written(rule.host, rule.ports[0])).host == rule.host


def test_ports_are_counted() -> None:
    assert allow_list(["a.test", "b.test:53", "a.test"]).ports == (53, 80, 443)
    assert len(allow_list(["a.test", "a.test"]).rules) == 1
    with pytest.raises(BadArgument, match="65 ports"):
        allow_list([f"a.test:{port}" for port in range(1, 66)])
