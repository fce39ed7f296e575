"""New settings for a daemon that serves: by file, by signal and by command; for all servers and for one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import FAULTY, PROGRAM, Home

from vsm_mcp.app import App
from vsm_mcp.config import load
from vsm_mcp.errors import PolicyDenied, UnknownTool


def write(home: Home, text: str) -> None:
    """As editors do it: a new file takes the place of the old one."""
    fresh = home.path / "vsm-mcp.toml.new"
    fresh.write_text(text)
    fresh.replace(home.path / "vsm-mcp.toml")


def events(home: Home, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in home.said.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def more(home: Home, name: str, seen: int) -> list[dict[str, Any]]:
    """Wait until there are more than so many events."""
    found: list[dict[str, Any]] = home.until(lambda: events(home, name)[seen:])
    return found


def pid_of(home: Home, name: str) -> int:
    rows = {row["name"]: row for row in home.run("list").document["servers"]}
    return int(rows[name]["pid"] or 0)


@pytest.mark.slow
def test_settings_come_into_force_while_calls_go_on(home: Home) -> None:
    home.environ["VSM_MCP_LOG_FORMAT"] = "json"
    assert home.add_faulty("one").document["outcome"] == "served"
    home.serve()
    before = home.until(lambda: pid_of(home, "one"))
    write(
        home,
        '[sandbox]\nmemory_bytes = 300_000_000\n[profiles.work]\nservers = ["one"]\n[policy]\ndeny_tools = ["*add"]',
    )
    home.until(lambda: events(home, "ConfigReloaded"))
    assert events(home, "ConfigReloaded")[-1]["restarted"] == []
    assert pid_of(home, "one") == before
    status = home.run("status").document
    assert status["servers"][0]["limits"]["memory_bytes"]["limit"] == 300_000_000
    assert [view["name"] for view in status["profiles"]] == ["", "work"]
    assert (home.path / "run" / "mcp-work.sock").exists()
    assert home.run("call", "one__add", "a=1", "b=2").code == 3
    # calls in flight end before the server is started anew, on a signal
    slow = subprocess.Popen([PROGRAM, "call", "one__slow", "seconds=2"], env=home.env, stdout=subprocess.PIPE)
    home.until(lambda: home.run("status").document["servers"][0]["resources"]["calls_in_flight"])
    write(home, "[runtime]\nmax_line_bytes = 1_000_000\n[gateway]\nport = 1\n")
    home.daemons[0].send_signal(signal.SIGHUP)
    with slow:
        assert slow.stdout is not None
        assert b"slept 2" in slow.stdout.read()
    reloaded = home.until(lambda: events(home, "ConfigReloaded")[1:])
    assert reloaded[-1]["restarted"] == ["one"]
    assert reloaded[-1]["waiting"] == []  # --port was given
    assert pid_of(home, "one") != before
    assert not (home.path / "run" / "mcp-work.sock").exists()
    assert home.run("call", "one__add", "a=1", "b=2").code == 0


async def test_a_server_that_is_denied_is_stopped_and_nobody_starts_it(tmp_path: Path) -> None:
    settings = tmp_path / "vsm-mcp.toml"
    async with App.open(load(tmp_path, {"PATH": "/usr/bin", "HOME": str(tmp_path)})) as app:
        added = await app.add(f"cmd:{sys.executable} {FAULTY}", name="one", yes=True)
        assert added.outcome == "served", added
        assert (await app.call("one__add", {"a": 1, "b": 2}))["isError"] is False
        counted = app.counters.of("one")
        assert (counted["started"], counted["restarted"]) == (1, 0)  # its trial is not counted
        settings.write_text('[policy]\ndeny = ["cmd:*faulty*"]\n')
        (result,) = (await app.reloader.reload())["servers"]
        assert result["result"].startswith("stopped: the policy denies it")
        (row,) = (await app.list())["servers"]
        assert (row["state"], row["pid"]) == ("stopped", None)
        assert "[policy] deny holds 'cmd:*faulty*'" in row["reason"]
        assert (await app.tools())["tools"] == []
        with pytest.raises(UnknownTool):
            await app.call("one__add", {"a": 1, "b": 2})
        with pytest.raises(PolicyDenied):
            await app.running.start("one")
        assert app.runtime.status("one").pid is None
    async with App.open(load(tmp_path, {})) as app:
        (row,) = (await app.list())["servers"]
        assert "deny holds" in row["reason"]  # it says so from the beginning
        settings.write_text("")
        await app.reloader.reload()
        assert (await app.call("one__add", {"a": 1, "b": 2}))["isError"] is False


@pytest.mark.slow
def test_settings_that_cannot_be_used_change_nothing(home: Home) -> None:
    home.environ["VSM_MCP_LOG_FORMAT"] = "json"
    assert home.add_faulty("one").document["outcome"] == "served"
    home.serve()
    before = home.run("status").document
    for text in ("[sandbox]\nmemory_bytes = -1", "no toml", "[auth]\nmode = 'oauth'", "[gateway]\nunknown = 1"):
        seen = len(events(home, "ConfigRejected"))
        write(home, text)
        more(home, "ConfigRejected", seen)
    (home.path / "vsm-mcp.toml").unlink()
    after = home.run("status").document
    assert after["counters"]["reload_refused"] == 4
    assert [server["limits"] for server in after["servers"]] == [server["limits"] for server in before["servers"]]
    entries = home.run("journal").document["entries"]
    assert [(entry["verdict"], entry["actor"]) for entry in entries if entry["action"] == "reload"] == [
        ("deny", "file")
    ] * 4
    assert "memory_bytes" in next(entry["detail"] for entry in entries if entry["action"] == "reload")


@pytest.mark.slow
def test_reload_says_what_became_of_each_change(home: Home) -> None:
    assert home.run("reload").code == 5
    assert home.add_faulty("one").document["outcome"] == "served"
    home.environ["VSM_MCP_RUNTIME_WATCH_SECONDS"] = "0"
    home.serve()
    home.until(lambda: pid_of(home, "one"))
    write(home, "[log]\nlevel = 'warning'\n[sandbox]\nscratch_bytes = 1_000_000\n[auth]\nleeway_seconds = 9\n")
    for _ in range(2):
        document = home.run("reload").document
        how = {change["item"]: change["how"] for change in document["changes"]}
        assert how.pop("auth.leeway_seconds") == "daemon"  # as long as it waits
        assert document["servers"] == [{"name": "one", "result": "restarted" if how else "unchanged"}]
    assert how == {}


@pytest.mark.slow
def test_the_settings_of_one_server(home: Home, tmp_path: Path) -> None:
    assert home.add_faulty("one").document["outcome"] == "served"
    home.serve()
    before = home.until(lambda: pid_of(home, "one"))
    home.environ["TOKEN"] = "hush"
    assert home.run("set", "one", "--lazy", "--idle-stop", "60").document["result"] == "applied"
    assert pid_of(home, "one") == before
    assert home.run("set", "one", "--lazy").document["result"] == "unchanged"
    refused = home.run("set", "one", "--secret", "TOKEN")
    assert (refused.code, refused.document["error"]["code"]) == (3, "approval_needed")
    done = home.run("set", "one", "--secret", "TOKEN", "--env", "A=5", "--yes")
    assert done.document["result"] == "restarted"
    assert "hush" not in json.dumps(done.document)
    assert home.run("call", "one__env", "name=TOKEN").document["content"][0]["text"] == "hush"
    assert home.run("call", "one__env", "name=A").document["content"][0]["text"] == "5"
    worse = home.run("set", "one", "--arg=--die-at-start", "--arg=no")
    assert worse.document["error"]["code"] == "server_down"
    assert "no" in worse.document["error"]["message"]
    assert home.run("call", "one__env", "name=A").document["content"][0]["text"] == "5"
    assert home.run("inspect", "one").document["server"]["args"] == []
    assert home.run("set", "one", "--clear", "env").document["changes"][0]["after"] == {}
    assert home.run("set", "one", "--clear", "colour").code == 2
    assert home.run("set", "two", "--lazy").code == 4


@pytest.mark.slow
def test_a_service_manager_is_told(home: Home, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        home.environ |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        home.serve()
        heard = b""
        while b"READY=1" not in heard or b"WATCHDOG=1" not in heard:
            heard += manager.recv(4096) + b"\n"
        os.kill(home.daemons[0].pid, signal.SIGHUP)
        while b"RELOADING=1" not in heard:
            heard += manager.recv(4096) + b"\n"
        home.daemons[0].send_signal(signal.SIGTERM)
        while b"STOPPING=1" not in heard:
            heard += manager.recv(4096) + b"\n"
    assert home.daemons[0].wait(20) == 0
