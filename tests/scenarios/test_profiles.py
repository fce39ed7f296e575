"""Profiles through the command line and the daemon, and an agent that asks for what it lacks."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from tests.scenarios.homes import PROGRAM, Home

SETTINGS = """
[gateway]
mode = "all"
acquire = false

[profiles.sums]
description = "For sums."
tools = ["*__add"]

[profiles.plain]
servers = ["one"]
plain_names = true
mode = "search"
"""
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


def over_stdio(home: Home, profile: str, *requests: tuple[str, dict[str, Any]], seconds: float = 300) -> list[Any]:
    """Run ``serve --stdio --profile``; return the answer to each request, notifications left out."""
    given = ["--profile", profile] if profile else []
    messages = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in enumerate((("initialize", HELLO), *requests))
    ]
    with subprocess.Popen(
        [PROGRAM, "serve", "--stdio", *given],
        env=home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for message in messages:
            process.stdin.write(message.encode() + b"\n")
            process.stdin.flush()
            while "id" not in (answer := json.loads(process.stdout.readline())):
                pass
            answers.append(answer)
        process.stdin.close()
        assert process.wait(20) == 0
    return answers[1:]


def call(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return "tools/call", {"name": name, "arguments": arguments}


@pytest.mark.slow
def test_profiles_with_and_without_a_daemon(home: Home) -> None:
    home.path.mkdir()
    (home.path / "vsm-mcp.toml").write_text(SETTINGS)
    assert home.add_faulty("one").document["outcome"] == "served"
    assert home.add_faulty("two").document["outcome"] == "served"
    assert [row["name"] for row in home.run("tools", "--profile", "sums").document["tools"]] == ["one__add", "two__add"]
    assert "echo" in [row["name"] for row in home.run("tools", "--profile", "plain").document["tools"]]
    best = home.run("tools", "add two numbers", "--profile", "plain").document["tools"][0]
    assert (best["name"], best["server"]) == ("add", "one")
    unknown = home.run("tools", "--profile", "none")
    assert (unknown.code, unknown.document["error"]["code"]) == (4, "unknown_profile")
    assert "plain, sums" in unknown.document["error"]["hint"]
    requests: tuple[tuple[str, dict[str, Any]], ...] = (
        call("add", a=1, b=2),
        ("tools/list", {}),
        call("find_tools", query="returns the text it was given"),
    )
    alone = over_stdio(home, "plain", *requests)
    assert alone[0]["result"]["structuredContent"] == {"sum": 3}
    assert [tool["name"] for tool in alone[1]["result"]["tools"]] == ["call_tool", "describe_tool", "find_tools"]
    assert "echo" in [tool["name"] for tool in alone[2]["result"]["structuredContent"]["tools"]]
    assert home.run("serve", "--stdio", "--profile", "none").code == 4

    address = home.serve()
    assert over_stdio(home, "plain", *requests) == alone
    document = home.run("status").document
    assert {row["name"]: (row["url"], row["listed"], row["servers"], row["tools"]) for row in document["profiles"]} == {
        "": (address, "all", 2, 16),
        "plain": (f"{address}/plain", "search", 1, 8),
        "sums": (f"{address}/sums", "all", 2, 2),
    }
    assert home.run("serve", "--stdio", "--profile", "none").code == 4
    assert home.run("serve", "--profile", "sums").code == 2


@pytest.mark.slow
def test_a_profile_that_the_daemon_was_started_without(home: Home) -> None:
    home.serve()
    (home.path / "vsm-mcp.toml").write_text("[profiles.late]\n")
    found = home.run("serve", "--stdio", "--profile", "late")
    assert (found.code, found.document["error"]["code"]) == (4, "unknown_profile")
    assert "restart" in found.document["error"]["hint"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_agent_is_told_what_a_person_has_to_do_and_then_gets_what_it_lacks(home: Home) -> None:
    need = "what time is it in another timezone"
    asked = over_stdio(home, "", call("acquire_capability", need=need))[0]["result"]
    assert asked["isError"] is True
    assert asked["structuredContent"]["outcome"] == "rejected"
    ref = asked["structuredContent"]["ref"]
    assert f"run `vsm-mcp add {ref} --yes`" in asked["content"][0]["text"]
    assert home.run("list").document["servers"] == []
    entry = home.run("journal").document["entries"][-1]
    assert (entry["actor"], entry["action"], entry["verdict"]) == ("agent", "acquire", "ask")

    home.environ["VSM_MCP_POLICY_AUTONOMY"] = "manual"
    names = [tool["name"] for tool in over_stdio(home, "", ("tools/list", {}))[0]["result"]["tools"]]
    assert "acquire_capability" not in names

    home.environ["VSM_MCP_POLICY_AUTONOMY"] = "auto"
    # one answer may be that it takes longer; whoever asks again gets the end, and then what is served already
    *ends, listed = over_stdio(home, "", *[call("acquire_capability", need=need)] * 5, ("tools/list", {}))
    found = [end["result"]["structuredContent"] for end in ends]
    assert [one["outcome"] for one in found if one["outcome"] != "working"][-1] == "served", found
    assert found[-1] == {**found[-2], "evidence": found[-1]["evidence"]}
    assert set(found[-1]["tools"]) <= {tool["name"] for tool in listed["result"]["tools"]}
    assert home.run("list").document["servers"][0]["name"] == found[-1]["server"]
