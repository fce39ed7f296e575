"""Servers that are started, stopped and asked together, by the command line and a daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import Home

import vsm_mcp


def states(home: Home) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in home.run("status").document["servers"]}


@pytest.mark.slow
def test_servers_are_run_together_and_each_has_a_result(home: Home) -> None:
    assert home.add_faulty("base").document["outcome"] == "served"
    assert home.add_faulty("upper", options=("--after", "base", "--restart", "transient")).code == 0
    home.serve()
    up = home.until(lambda: (rows := states(home)) and all(row["state"] == "ready" for row in rows.values()) and rows)
    assert up["base"]["since"] <= up["upper"]["since"]  # the daemon starts them in their order, too
    done = home.run("start", "--all")
    assert (done.code, done.document["failed"]) == (0, 0)
    assert {row["name"]: row["detail"] for row in done.document["results"]} == {"base": "ready", "upper": "ready"}
    assert home.run("health").code == 0
    done = home.run("restart", "upper", "nobody")
    assert (done.code, done.document["failed"]) == (1, 1)
    assert [(row["name"], row["ok"], row["code"]) for row in done.document["results"]] == [
        ("upper", True, ""),
        ("nobody", False, "unknown_server"),
    ]
    done = home.run("stop", "--all", "--at-once", "1")
    assert (done.code, {row["detail"] for row in done.document["results"]}) == (0, {"stopped"})
    done = home.run("health", "base")
    assert (done.code, done.document["results"][0]["detail"]) == (1, "base is not well: it is stopped: it was asked to")
    assert home.run("start").document["error"]["code"] == "bad_argument"
    assert home.run("start", "base", "--all").code == 2
    circle = home.add_faulty("base", options=("--after", "upper")).document["error"]
    assert circle["message"].startswith("after: base comes after upper comes after base")
    assert home.add_faulty("third", options=("--after", "nobody")).document["error"]["message"].startswith("after: ")


@pytest.mark.slow
def test_how_a_server_ended_is_shown(home: Home) -> None:
    home.add_faulty("a", "--exit-code", "7")
    home.serve()
    home.run("call", "a__crash")
    home.until(lambda: home.run("inspect", "a").document["server"]["state"] == "ready")
    crash = home.run("inspect", "a").document["server"]["crash"]
    assert (crash["exit_code"], crash["stderr"][-1]) == (7, "Fatal: the crash tool was called")
    assert home.run("list").document["servers"][0]["crash"] == crash
    assert home.run("status").document["servers"][0]["crash"] == crash


@pytest.mark.slow
def test_a_server_that_listens_is_admitted_and_called(home: Home) -> None:
    program = f"cmd:{sys.executable} -m vsm_mcp.testing.faulty_http"
    port, source = ("--arg=--port", "--arg={port}"), ("--allow-path", str(Path(vsm_mcp.__file__).parents[1]))
    added = home.run("add", program, "--name", "web", "--yes", *port, *source, "--listens", "http")
    assert added.document["outcome"] == "served", added.document
    records = home.run("evidence", added.document["evidence"]).document["records"]
    (trial,) = (record["body"]["report"] for record in records if record["kind"] == "trial")
    probes = {probe["name"]: probe["verdict"] for probe in trial["probes"]}
    assert trial["transport"] == "streamable-http"
    assert (probes["handshake"], probes["restart"], probes["malformed line"]) == ("pass", "pass", "skipped")
    assert home.run("call", "web__echo", "text=hi").document["content"][0]["text"] == "echo:hi"
    home.serve()
    assert home.run("call", "web__echo", "text=hi").document["content"][0]["text"] == "echo:hi"
    assert home.run("health", "web").code == 0
    bad = home.run("add", program, "--name", "bad", "--yes", "--listens", "gopher").document["error"]
    assert bad["message"].startswith("listens: ")


@pytest.mark.slow
def test_a_pool_shares_calls_and_is_counted(home: Home) -> None:
    added = home.add_faulty("a", options=("--pool-size", "2", "--calls-at-once", "1", "--queue-seconds", "1"))
    assert added.document["outcome"] == "served"
    home.serve()
    home.run("start", "a")
    home.until(lambda: home.run("status").document["servers"][0]["pool"]["ready"] == 2)
    slow = [home.begin("call", "a__slow", "seconds=60") for _ in range(2)]
    try:
        home.until(lambda: home.run("status").document["servers"][0]["pool"]["calls"] == 2)
        late = home.run("call", "a__echo", "text=hi")
        assert (late.code, late.document["error"]["code"]) == (5, "overload")
        pool = home.run("inspect", "a").document["server"]["pool"]
        assert (pool["waited"], pool["timed_out"], len(set(pool["pids"]))) == (1, 1, 2)
    finally:
        for each in slow:
            each.kill()
            each.wait(10)
    bad = home.add_faulty("b", options=("--pool-size", "2", "--stateful")).document["error"]
    assert bad["message"].startswith("pool_size: ")
