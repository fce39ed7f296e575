"""Processes for single sessions, lazy starts and idle stops: the whole program, real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import FAULTY, Home

# Opens the app as the daemon does, lets sessions call "count" (each word of the arguments is a session's turn),
# prints what they got and what runs, and waits to be ended.
DRIVER = """
import asyncio, json, sys
import msgspec
from vsm_mcp.app import App

async def main():
    async with App.open(for_operation="serve", actor="test") as app:
        if "--observe" in sys.argv:
            app.runtime.observe_stateful("one")
        counts = []
        for session in sys.argv[1:]:
            if session.startswith("--"):
                continue
            connection = await app.runtime.connection("one", 20, session.strip("-"))
            raw = await connection.request("tools/call", {"name": "count", "arguments": {}}, timeout=20)
            counts.append(msgspec.json.decode(raw)["content"][0]["text"])
        shown = {"counts": counts, "status": await app.status(), "list": await app.list()}
        shown["inspect"] = await app.inspect("one")
        print(msgspec.json.encode(shown).decode(), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def drive(home: Home, *sessions: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *sessions], env=home.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    home.daemons.append(driver)
    assert driver.stdout is not None
    return driver, json.loads(driver.stdout.readline())


def ended(driver: subprocess.Popen[bytes]) -> int:
    with driver:
        assert driver.stdin is not None
        driver.stdin.close()
        return driver.wait(20)


def state(home: Home, name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = home.run("status").document["servers"]
    return next(row for row in rows if row["name"] == name)


@pytest.mark.slow
def test_sessions_of_a_stateful_server_are_apart_and_shown(home: Home) -> None:
    added = home.add_faulty("one", "--counter", options=("--stateful", "--idle-stop", "90"))
    assert added.document["outcome"] == "served"
    driver, shown = drive(home, "alpha-0123456789", "beta-0123456789", "alpha-0123456789", "-", "-", "-")
    assert shown["counts"] == ["1", "1", "2", "1", "2", "3"]
    (status,) = shown["status"]["servers"]
    assert [row["session"] for row in status["instances"]] == ["beta-012…", "alpha-01…"]
    pids = [status["pid"], *(row["pid"] for row in status["instances"])]
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    assert len(set(pids)) == 3
    (listed,) = shown["list"]["servers"]
    assert (listed["pid"], len(listed["instances"])) == (status["pid"], 2)
    inspected = shown["inspect"]["server"]
    assert [inspected[key] for key in ("stateful", "stateful_by", "lazy", "idle_stop")] == [True, "setting", False, 90]
    assert inspected["instances"] == status["instances"]
    assert ended(driver) == 0
    assert home.processes() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_daemon_that_is_killed_leaves_no_process_of_any_session(home: Home, number: signal.Signals) -> None:
    flags = ("--counter", "--ignore-sigterm", "--ignore-eof", "--double-fork")
    assert home.add_faulty("one", *flags, options=("--stateful",)).document["outcome"] == "served"
    driver, shown = drive(home, *(f"session-{letter}" for letter in "abcde"), "-")
    (status,) = shown["status"]["servers"]
    pids = [status["pid"], *(row["pid"] for row in status["instances"])]
    assert len({pid for pid in pids if Path(f"/proc/{pid}").exists()}) == 6
    with driver:
        driver.send_signal(number)
        assert driver.wait(20) == -number
    home.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds=2)
    home.until(lambda: not home.processes(), seconds=2)


@pytest.mark.slow
def test_a_server_seen_to_be_stateful_is_remembered_so_until_a_person_says_shared(home: Home) -> None:
    assert home.add_faulty("one", "--counter").document["outcome"] == "served"
    driver, shown = drive(home, "--observe", "alpha", "beta")
    assert shown["counts"] == ["1", "1"]
    assert ended(driver) == 0
    inspected = home.run("inspect", "one").document["server"]
    assert (inspected["stateful"], inspected["stateful_by"]) == (True, "observed")
    driver, shown = drive(home, "alpha", "beta")
    assert shown["counts"] == ["1", "1"]
    assert ended(driver) == 0
    assert home.add_faulty("one", "--counter").document["outcome"] == "served"  # its next version
    assert home.run("inspect", "one").document["server"]["stateful_by"] == "observed"
    assert home.add_faulty("one", "--counter", options=("--shared",)).document["outcome"] == "served"
    driver, shown = drive(home, "--observe", "alpha", "beta")
    assert shown["counts"] == ["1", "2"]
    assert ended(driver) == 0


@pytest.mark.slow
def test_a_lazy_server_is_listed_from_memory_started_by_a_call_and_stopped_when_idle(home: Home) -> None:
    added = home.add_faulty("lazy", "--counter", options=("--lazy", "--idle-stop", "1"))
    assert added.document["outcome"] == "served"
    assert home.add_faulty("eager").document["outcome"] == "served"
    home.serve()
    home.until(lambda: state(home, "eager")["pid"])
    assert (state(home, "lazy")["state"], state(home, "lazy")["pid"]) == ("stopped", None)
    assert "lazy__count" in [tool["name"] for tool in home.run("tools").document["tools"]]
    for _ in range(2):
        assert home.run("call", "lazy__count").document["content"][0]["text"] == "1"
        home.until(lambda: state(home, "lazy")["state"] == "stopped", seconds=10)
        assert state(home, "lazy")["reason"] == "idle"
        assert "lazy__count" in [tool["name"] for tool in home.run("tools").document["tools"]]
    assert state(home, "eager")["state"] == "ready"


@pytest.mark.slow
def test_what_a_lazy_server_offers_otherwise_than_approved_is_frozen_once_it_runs(home: Home, tmp_path: Path) -> None:
    program = tmp_path / "server" / "faulty.py"
    program.parent.mkdir()
    program.write_text(FAULTY.read_text())
    words = ("--allow-path", str(program.parent), "--name", "lazy", "--lazy", "--yes")
    added = home.run("add", f"cmd:{sys.executable} {program}", *words).document
    assert added["outcome"] == "served", added
    text = program.read_text()
    program.write_text(text.replace("Returns the text it was given.", "Sends the text it was given to us."))
    home.serve()
    assert "lazy__echo" in [tool["name"] for tool in home.run("tools").document["tools"]]
    assert home.run("call", "lazy__add", "a=1", "b=2").code == 0
    home.until(lambda: home.run("inspect", "lazy").document["server"]["frozen"] == ["tool:echo"])
    served = [tool["name"] for tool in home.run("tools").document["tools"]]
    assert "lazy__echo" not in served
    assert "lazy__add" in served
