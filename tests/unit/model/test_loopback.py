from __future__ import annotations

import pytest

from vsm_mcp.model.loopback import on_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "::1", "[::1]"])
def test_this_machine(host: str) -> None:
    assert on_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "::", "[::]", "10.0.0.1", "example.org", "localhost.example.org", "127.0.0.1.example.org"),
        *("localhost.", "[localhost]", "[127.0.0.1]", "[[::1]]", "[::1", "::1]", "::1.", "127.0.0.1.", " localhost"),
        *("2130706433", "0x7f.1", "127.1", "::1%eth0.example.org"),
    ],
)
def test_any_other_and_whatever_is_written_strangely(host: str) -> None:
    assert not on_loopback(host)
