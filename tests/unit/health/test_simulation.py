"""A small fleet in the simulation of the large one: no storm, no swing, no remedy for the well."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "simulation.py"


def test_a_fleet_in_trouble_neither_storms_nor_swings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    spec = importlib.util.spec_from_file_location("simulation", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    simulation = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulation)
    given = argparse.Namespace(servers=400, failures=200, seed=11, together=1, out=None)
    found = simulation.figures(*simulation.run(given, 2.0))
    assert found["failures"] == 400
    assert found["restarts_held"] > 0  # all of the second hour's come at once: the limit was needed
    assert found["most_restarts_a_minute"] <= found["restarts_allowed_a_minute"]
    assert (found["swings"], found["false_alarms"], found["false_remedies"]) == (0, 0, 0)
    for remedy in ("reconnect", "soft_restart", "hard_restart", "full_recovery", "replace", "escalate"):
        assert found["counts"][f"remedy {remedy}"] > 0
    assert found["tick_ms"]["p99"] < 50
    planned = found["planned"]
    assert planned["acquire"] > 0
    assert planned["against a no"] == planned["back and forth"] == 0
    assert found["installs_in_a_day"] <= found["installs_allowed_a_day"]
