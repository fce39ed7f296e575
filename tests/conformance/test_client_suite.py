"""The conformance suite against our side of a connection, over streamable HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.suite import HERE, PYTHON, SECONDS, judge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 50)]


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_client(revision: str, tmp_path: Path) -> None:
    # The suite starts the clients of all scenarios at once, by a shell; three of them go on at a time.
    client = f"flock {tmp_path}/turn-$(($$%3)) {PYTHON} {HERE / 'client.py'}"
    target = ["--command", client, "--timeout", f"{(SECONDS - 20) * 1000}"]
    verdict = judge("client", target, revision, tmp_path, expected=f"client-{revision}")
    assert not verdict.problems, str(verdict)
    assert verdict.crashed == []
