"""The first command of the README does what it says: the very program that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_three_needs_become_three_right_answers() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VSM_MCP_")}
    done = subprocess.run([sys.executable, DEMO], env=environ, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("✓ ") >= 3
    assert "✗" not in done.stdout
    assert "Processes left behind: 0" in done.stdout
