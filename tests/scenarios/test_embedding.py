"""The example plug-in, with the real server behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scenarios.homes import Home, processes_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "time_plugin.py"


def run(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE), *words]
    return subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.slow
def test_the_example_plug_in_asks_a_real_server(home: Home) -> None:
    done = run(home, "12:00", "UTC", "Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["target"]["datetime"].endswith("T21:00:00+09:00")
    wrong = run(home, "12:00", "UTC", "Nowhere/At_All")  # the server is there already, and refuses
    assert wrong.returncode == 1
    assert "Nowhere/At_All" in wrong.stdout + wrong.stderr
    home.environ["EXTERNAL_MCP_TIMEOUT"] = "never"
    assert "EXTERNAL_MCP_TIMEOUT" in run(home).stderr
    assert processes_of(str(home.path)) == []
