"""Commands with and without a daemon, and two daemons on one home."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from tests.scenarios.homes import PROGRAM, Home


def initialize(version: str = "2025-06-18") -> str:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})


def over_stdio(home: Home, *messages: str) -> list[dict[str, Any]]:
    """Run ``serve --stdio`` and return one answer for each message."""
    process = subprocess.Popen(
        [PROGRAM, "serve", "--stdio"],
        env=home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        answers = []
        for message in messages:
            process.stdin.write(message.encode() + b"\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(20) == 0
        assert process.stdout.read() == b""
    return answers


@pytest.mark.slow
def test_the_same_commands_work_without_and_with_a_daemon(home: Home) -> None:
    assert home.add_faulty("one").document["outcome"] == "served"
    alone = home.run("call", "one__add", "a=2", "b=3").document
    home.serve()
    assert home.run("status").document["daemon"] is True
    through = home.run("call", "one__add", "a=2", "b=3").document
    assert {**alone, "ms": 0} == {**through, "ms": 0}
    added = home.add_faulty("two").document
    assert added["outcome"] == "served"
    assert added["tier"] != ""
    assert {row["name"] for row in home.run("list").document["servers"]} == {"one", "two"}
    assert home.run("restart", "two").document["state"] == "ready"
    assert home.run("stop", "two").document["state"] == "stopped"
    assert home.run("call", "two__echo", "text=hi").document["content"][0]["text"] == "echo:hi"
    assert home.run("remove", "two").code == 0
    assert home.run("call", "two__echo", "text=hi").code == 4


@pytest.mark.slow
def test_a_second_daemon_is_refused_and_changes_nothing(home: Home) -> None:
    home.serve()
    second = home.run("serve", "--port", "0")
    assert second.code == 1
    assert second.document["error"]["code"] == "home_busy"
    assert str(home.daemons[0].pid) in second.document["error"]["message"]
    assert home.run("status").document["daemon"] is True


@pytest.mark.slow
def test_a_command_waits_for_another_one_on_its_home_and_says_so(home: Home) -> None:
    hold = (
        "import asyncio, sys, pathlib\nfrom vsm_mcp.store import HomeLock\n"
        "asyncio.run(HomeLock(pathlib.Path(sys.argv[1])).acquire())\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        command = [PROGRAM, "remove", "nobody"]
        with subprocess.Popen(command, env=home.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as waiting:
            assert waiting.stderr is not None
            said = waiting.stderr.readline().decode()  # it comes after one round, and would hang without it
            holder.kill()
            rest = waiting.stderr.read().decode()
            assert waiting.wait(60) == 4
    assert f"pid {holder.pid}" in said
    assert "waiting" in said
    assert "waiting" not in rest
    assert "nobody" in rest


@pytest.mark.slow
def test_stdio_serves_by_itself_and_through_a_daemon(home: Home) -> None:
    assert home.add_faulty("one").document["outcome"] == "served"
    call = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "one__echo", "arguments": {"text": "4711"}},
        }
    )
    alone = over_stdio(home, initialize(), call)
    home.serve()
    through = over_stdio(home, initialize(), call)
    assert alone == through
    assert alone[1]["result"]["content"][0]["text"] == "echo:4711"


@pytest.mark.slow
def test_a_stopped_daemon_leaves_no_process_and_no_socket(home: Home) -> None:
    assert home.add_faulty("stubborn", "--ignore-sigterm", "--double-fork").document["outcome"] == "served"
    home.serve()
    home.until(lambda: home.run("list").document["servers"][0]["pid"])
    home.daemons[0].send_signal(signal.SIGTERM)
    assert home.daemons[0].wait(20) == 0
    assert home.processes() == []
    assert list((home.path / "run").glob("*.sock")) == []


@pytest.mark.slow
def test_a_hung_server_costs_the_others_nothing(home: Home) -> None:
    assert home.add_faulty("good").document["outcome"] == "served"
    assert home.add_faulty("hung").document["outcome"] == "served"
    home.serve()
    slow = subprocess.Popen(
        [PROGRAM, "call", "hung__slow", "seconds=60"],
        env=home.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(3):
            assert home.run("call", "good__add", "a=1", "b=1", timeout=10).code == 0
        assert len(home.run("tools", timeout=10).document["tools"]) > 2
    finally:
        slow.kill()
        slow.wait(10)
