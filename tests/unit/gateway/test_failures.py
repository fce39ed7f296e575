from __future__ import annotations

import ipaddress

from vsm_mcp.gateway.failures import Failures
from vsm_mcp.policy.bucket import Rate


def test_one_address_is_slowed_down_and_another_is_not() -> None:
    failures = Failures(Rate(60, 3))
    assert [failures.count("192.0.2.1", 10.0) for _ in range(4)] == [0, 0, 0, 1]
    assert failures.count("192.0.2.2", 10.0) == 0
    assert failures.count("192.0.2.1", 11.0) == 0


def test_one_client_has_many_addresses_of_ipv6_and_is_one() -> None:
    failures = Failures(Rate(60, 2))
    waits = [failures.count(f"2001:db8:1:2::{n:x}", 0.0) for n in range(4)]
    assert waits[:2] == [0, 0]
    assert all(waits[2:])
    assert failures.count("2001:db8:1:3::1", 0.0) == 0
    assert failures.count("fe80::1%eth0", 0.0) == 0
    assert [failures.count(address, 0.0) for address in ("::ffff:192.0.2.9", "192.0.2.9", "192.0.2.9")][2]


def test_the_table_is_bounded_and_keeps_who_failed_last() -> None:
    failures = Failures(Rate(60, 1), remembered=100)
    assert failures.count("192.0.2.1", 0.0) == 0
    for number in range(500):
        failures.count(str(ipaddress.ip_address(0x0A000000 + number)), 0.0)
        assert failures.count("192.0.2.1", 0.0) > 0
    assert len(failures) == 100


def test_whoever_has_no_address_is_counted_too() -> None:
    failures = Failures(Rate(60, 1))
    assert failures.count("", 0.0) == 0
    assert failures.count("", 0.0) > 0
