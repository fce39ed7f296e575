"""What real servers can do and who can stand in for whom, by the command line, with and without a daemon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import PROGRAM, Home

CLOCK = Path(__file__).with_name("clock.py")


def add(home: Home, name: str, *flags: str) -> None:
    given = [f"--arg={flag}" for flag in flags]
    done = home.run("add", f"cmd:{sys.executable} {CLOCK}", "--name", name, "--yes", *given)
    assert done.document["outcome"] == "served", done


def matrix(home: Home) -> dict[str, dict[str, Any]]:
    rows = home.run("capabilities", "--stand-ins").document["stand_ins"]
    return {row["server"]: row for row in rows}


@pytest.mark.slow
def test_who_can_stand_in_for_whom(home: Home) -> None:
    add(home, "one")
    add(home, "two", "--tool=currentTime", "--parameter=tz", "--writes")
    rows = matrix(home)
    [stand_in] = rows["two"]["stand_ins"]
    assert (stand_in["server"], stand_in["tool"]) == ("one", "get_current_time")
    assert stand_in["arguments"] == {"tz": "timezone"}
    assert rows["one"]["stand_ins"] == []
    assert "it may change something (nobody says otherwise)" in rows["one"]["near"][0]["reasons"]
    home.serve()
    assert matrix(home) == rows
    lines = printed(home)
    assert lines[0] == "CAPABILITY\tCONF\tSERVER\tITEM\tEFFECTS\tPLACE"
    assert any(line.endswith("\tone\tget_current_time\treads, inside\toperations") for line in lines)
    assert "two: currentTime\tone: get_current_time\t1.00\ttz → timezone" in printed(home, "--stand-ins")
    home.run("remove", "one")
    assert matrix(home) == {}
    [group] = home.run("capabilities", "time.timezones", "--server", "two").document["capabilities"]
    assert group["items"][0]["effects"]["read_only"] == {"value": False, "known": "nothing"}
    assert home.run("capabilities", "--server", "one").document["error"]["code"] == "unknown_server"


def printed(home: Home, *words: str) -> list[str]:
    given = [PROGRAM, "capabilities", *words]
    return subprocess.run(
        given, env=home.env, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
