"""kill -9 at any step: what is left is a served server or nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scenarios.homes import PROGRAM, Home, processes_of

STEPS = ("resolve", "fetch", "vet", "build", "trial", "activate")
# Opens the app as the command line does and kills itself when the event of a step comes by.
KILLER = """
import asyncio, os, signal, sys
from vsm_mcp.app import App
from vsm_mcp.model.launch import Settings

kind, step, ref = sys.argv[1:4]

def listen(event):
    if type(event).__name__ == kind and event.step == step:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with App.open(for_operation="add") as app:
        app.bus.subscribe(listen)
        await app.add(ref, Settings(args=tuple(sys.argv[4:])), name="victim", yes=True)

asyncio.run(main())
"""


def kill_at(home: Home, kind: str, step: str, ref: str, *flags: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLER, kind, step, ref, *flags],
        env=home.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["StepStarted", "StepFinished"])
def test_a_kill_leaves_a_served_server_or_nothing(home: Home, kind: str, step: str) -> None:
    kill_at(home, kind, step, "npm:mcp-hello-world@1.1.2")
    home.until(lambda: not home.processes(), seconds=3)
    served = home.run("list").document["servers"]
    if (kind, step) == ("StepFinished", "activate"):
        assert [server["name"] for server in served] == ["victim"]
    else:
        assert served == []
    # The next command that may change something finishes or undoes what was left.
    assert home.run("remove", "victim").code == (0 if served else 4)
    assert home.left() == []
    assert list((home.path / "secrets").glob("*")) == []
    again = home.run("add", "npm:mcp-hello-world@1.1.2", "--name", "victim", "--yes").document
    assert again["outcome"] == "served", again


@pytest.mark.slow
@pytest.mark.parametrize("step", ["build", "trial", "activate"])
def test_the_version_in_service_survives_the_kill_of_its_successor(home: Home, step: str) -> None:
    package = "pypi:mcp-server-time"
    added = home.run("add", f"{package}==2026.10.10", "--name", "victim", "--yes")
    assert added.document["outcome"] == "served", added
    kill_at(home, "StepStarted", step, f"{package}==2026.10.19")
    assert home.run("remove", "nobody").code == 4  # recovers
    (server,) = home.run("list").document["servers"]
    assert server["version"] == "2026.10.10"
    answer = home.run("call", "victim__get_current_time", "timezone=Asia/Tokyo")
    assert "+09:00" in answer.document["content"][0]["text"]


@pytest.mark.slow
def test_a_killed_daemon_takes_everything_along_and_the_next_one_serves_the_same(home: Home) -> None:
    for name in ("one", "two", "three"):
        added = home.add_faulty(name)
        assert added.document["outcome"] == "served", added
    home.serve()
    tools = home.run("tools").document["tools"]
    home.until(lambda: all(server["pid"] for server in home.run("list").document["servers"]))
    pids = [server["pid"] for server in home.run("list").document["servers"]]
    install = subprocess.Popen(
        [PROGRAM, "add", "pypi:mcp-server-time", "--yes"],
        env=home.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    home.until(
        lambda: (home.path / "run" / "staging" / "time").exists() or (home.path / "installations" / "time").exists()
    )
    home.daemons[0].send_signal(signal.SIGKILL)
    home.daemons[0].wait(10)
    home.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds=1)
    assert install.wait(20) != 0
    home.until(lambda: not processes_of(str(home.path)), seconds=2)
    home.serve()
    assert home.run("tools").document["tools"] == tools
    assert not (home.path / "installations" / "time").exists()
    assert home.run("call", "two__add", "a=2", "b=3").document["content"][0]["text"].strip().startswith("5")
