"""Fifty launches, and what a sandbox costs: a short run of the measurement for two thousand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks/launches.py"


@pytest.mark.slow
def test_fifty_launches_work_and_leave_nothing() -> None:
    call = [sys.executable, str(PROGRAM), "--launches", "50", "--pairs", "3", "--servers", "5", "--json"]
    done = subprocess.run(call, check=False, capture_output=True, text=True, timeout=110)
    if "no sandbox here" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["launches"]["launches"] == 50
    assert found["launches"]["failed"] == 0
    assert set(found["launches"]["left"].values()) == {0}
    assert found["start_up"]["overhead_ms"] < 1000  # the figure itself is for a quiet machine
    assert found["memory"]["processes"] == 2 * 5
    assert 0 < found["memory"]["pss_kib_each"] < 1024
