"""What a person reads of a server's contacts."""

from __future__ import annotations

import pytest

from vsm_mcp.cli.inspect_command import _human


def test_contacts_take_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    seen = {"count": 2, "last": 0.0}
    contacts = [
        {"host": "api.test", "port": 443, "allowed": True, "reason": "", **seen},
        {"host": "evil.test", "port": 0, "allowed": False, "reason": "not allowed", **seen},
    ]
    _human({"server": {"contacts": contacts, "hosts": []}})
    first, second, hosts = capsys.readouterr().out.splitlines()
    assert first.startswith("contacts      allowed api.test:443, 2 times, last ")
    assert second.strip().startswith("refused evil.test, 2 times, last ")
    assert second.endswith(": not allowed")
    assert hosts.split() == ["hosts", "-"]
