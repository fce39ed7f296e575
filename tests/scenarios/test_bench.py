"""The measurement of the gateway, whole: the real program, its daemon and its sandbox. What it says, never how fast."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import PROGRAM, Home, processes_of

FATES = {"right", "wrong", "failed", "lost", "doubled"}
SUBJECTS = ["stdio", "stdio-stdio", "http", "http-stdio", "http-http"]


def measured(home: Home, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    home.environ["TMPDIR"] = str(folder)
    done = home.run("bench", "--seconds", "0.2", "--rounds", "1", *words, timeout=110)
    return done.code, done.document


def nothing_left(folder: Path) -> bool:
    return not list(folder.iterdir()) and not processes_of(str(folder))


@pytest.mark.slow
def test_five_ways_to_one_server_and_no_wrong_answer(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    code, document = measured(home, folder, "--sizes", "100,65536", "--clients", "1,8")
    assert code == 0, document
    assert document["schema"] == 1
    assert set(document["answers"]) == FATES
    assert sum(document["answers"].values()) == document["answers"]["right"] > 100
    assert [subject["key"] for subject in document["subjects"]] == SUBJECTS
    for subject in document["subjects"]:
        assert [(block["size"], block["clients"]) for block in subject["blocks"]] == [(100, 1), (65536, 1), (100, 8)]
        for block in subject["blocks"]:
            assert block["calls"] > 0
            assert 0 < block["p50"]["median"] <= block["p99"]["median"]
            assert (block["times"] is not None) is (block["cpu"] is not None) is bool(subject["baseline"])
        assert (subject["memory_idle"] is not None) is bool(subject["baseline"])
    assert document["tier"] in {"full", "full-soft", "none"}
    assert set(document["launches"]) == {"echo-stdio", "echo-http", "vsm-mcp-stdio", "vsm-mcp-http"}
    assert document["noise"]["words"]
    assert nothing_left(folder)


@pytest.mark.slow
def test_a_gateway_that_runs_is_measured_where_it_is(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    assert home.add_faulty("one").code == 0
    address = home.serve()
    code, document = measured(home, folder, "--url", address, "--sizes", "100", "--clients", "1,4")
    assert code == 0, document
    direct, gateway = document["subjects"]
    assert (direct["key"], gateway["key"], gateway["baseline"]) == ("http", "url", "http")
    assert gateway["pid"] == home.daemons[0].pid
    assert sum(document["answers"].values()) == document["answers"]["right"]
    given = ("--tool", "one__add", "--args", '{"a": 1, "b": 2}')
    code, document = measured(home, folder, "--url", address, "--clients", "2", *given)
    assert (code, [subject["key"] for subject in document["subjects"]]) == (0, ["url"])
    code, document = measured(home, folder, "--url", address, "--clients", "1", "--tool", "one__fail", "--args", "{}")
    assert code == 1
    assert document["answers"]["right"] == 0 < document["answers"]["failed"]
    assert nothing_left(folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_nothing(home: Home, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environ = {**home.env, "TMPDIR": str(folder)}
    # Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
    argv = ["env", "--default-signal=INT", PROGRAM, "bench", "--seconds", "5"]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            home.until(lambda: any("serve" in line for line in processes_of(str(folder))), 60)
            os.kill(running.pid, number)
            said, noted = running.communicate(timeout=30)
        finally:
            running.kill()
    assert running.returncode == 130, noted
    assert b"interrupted" in noted
    assert not said
    home.until(lambda: nothing_left(folder), 10)
