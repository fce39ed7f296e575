"""New versions by stages, with real processes: a good one walks the ladder, bad ones go back, a kill loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios import rolling
from tests.scenarios.homes import Home

ROOT = Path(rolling.__file__).parents[2]
STAGES = (5, 15, 30, 50, 75, 100)
pytestmark = pytest.mark.slow


def prepared(home: Home, calls: int) -> None:
    home.path.mkdir(exist_ok=True)
    settings = f"[rollout]\nstage_seconds = 0.1\nstage_calls = {calls}\ncheck_seconds = 0.05\n"
    (home.path / "vsm-mcp.toml").write_text(settings)


def run(home: Home, version: str, calls: int, at: str = "-") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", rolling.__name__, version, str(calls), at],
        cwd=ROOT,
        env={**home.env, "VSM_MCP_INSTALL_MIN_RELEASE_AGE_DAYS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == (0 if at == "-" else -signal.SIGKILL), done.stderr.decode()
    return json.loads(done.stdout) if done.stdout else {}


def decisions(document: dict[str, Any]) -> list[tuple[int, str]]:
    bodies = [record["body"] for record in document["evidence"] if record["kind"] == "rollout"]
    return [(body["percent"], body["decision"]) for body in bodies]


def test_a_good_version_walks_the_ladder_and_no_call_is_lost(home: Home) -> None:
    prepared(home, 20)
    found = run(home, rolling.GOOD, 1400)
    assert found["calls"] == {"ok": 1400}, found["why"]
    assert decisions(found) == [
        (5, "began"),
        *((percent, "promote") for percent in STAGES[:-1]),
        (100, "done"),
        (100, "finished"),
    ]
    assert (found["rollout"]["phase"], found["version"]) == ("done", rolling.GOOD)
    assert found["names"] == ["victim"], "nothing but the server itself runs in the end"
    assert len(found["journal"]) == len(STAGES)
    assert home.run("rollback", "victim").document["version"] == {"from": rolling.GOOD, "to": "1.0.0"}


def test_one_that_fails_8_percent_goes_back_before_30_percent_with_under_1_percent_hurt(home: Home) -> None:
    prepared(home, 50)
    found = run(home, rolling.FAILING, 1600)
    assert found["rollout"]["phase"] == "rolled_back", found["rollout"]
    percent, decision = decisions(found)[-1]
    assert (decision, percent < 30) == ("roll_back", True)
    assert 0 < found["calls"]["failed"] < 0.01 * 1600
    assert (found["version"], found["names"], found["files"]) == ("1.0.0", ["victim"], ["1.0.0"])
    assert "more calls" in found["journal"][-1]


def test_one_that_is_twice_as_slow_goes_back_before_30_percent(home: Home) -> None:
    prepared(home, 50)
    found = run(home, rolling.SLOW, 1200)
    assert found["rollout"]["phase"] == "rolled_back", found["rollout"]
    percent, decision = decisions(found)[-1]
    assert (decision, percent < 30) == ("roll_back", True)
    assert found["calls"] == {"ok": 1200}
    assert "times as slow" in found["rollout"]["reason"]
    assert (found["version"], found["names"]) == ("1.0.0", ["victim"])


def test_a_daemon_killed_at_each_stage_goes_on_where_it_was(home: Home) -> None:
    prepared(home, 10)
    for at in (*map(str, STAGES), "finish", "commit", "committed"):
        run(home, rolling.GOOD, 1000, at)
        home.until(lambda: not home.processes(), seconds=30)
    found = run(home, rolling.GOOD, 20)
    assert found["calls"] == {"ok": 20}, found["why"]
    assert (found["rollout"]["phase"], found["version"], found["names"]) == ("done", rolling.GOOD, ["victim"])
    assert found["files"] == ["1.0.0", rolling.GOOD]
    steps = [step for step in decisions(found) if step[1] == "promote"]
    assert steps == [(percent, "promote") for percent in STAGES[:-1]], "no stage was lost, and none done twice"
