"""``mcp_servers.json`` in the home of a daemon: what it asks for is admitted, and goes with its entry."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from tests.scenarios.homes import FAULTY, Home

FILE = "mcp_servers.json"


def write(home: Home, **entries: Any) -> None:
    home.path.mkdir(exist_ok=True)
    (home.path / FILE).write_text(json.dumps({"mcpServers": entries}))


def faulty(*flags: str, **more: Any) -> dict[str, Any]:
    return {"command": sys.executable, "args": [str(FAULTY), *flags], **more}


def outcomes(home: Home) -> dict[str, str]:
    return {row["title"]: row["outcome"] for row in home.run("status").document["mcp_servers"]}


@pytest.mark.slow
def test_servers_appear_and_go_with_their_entries(home: Home) -> None:
    home.environ["MY_TOKEN"] = "hush-hush"
    write(
        home,
        One=faulty(env={"TOKEN": "${MY_TOKEN}", "MODE": "x"}),
        bad={"command": "npx"},
        dead=faulty("--die-at-start", "no"),
    )
    home.serve()
    wanted = {"One": "served", "bad": "unusable", "dead": "failed"}
    home.until(lambda: outcomes(home) == wanted, 60)
    assert home.run("call", "one__env", "name=TOKEN").document["content"][0]["text"] == "hush-hush"
    inspected = home.run("inspect", "one")
    assert "hush-hush" not in json.dumps(inspected.document)
    assert inspected.document["server"]["tier"] != ""
    entries = home.run("journal").document["entries"]
    assert {entry["actor"] for entry in entries if entry["action"] == "add"} == {"file"}
    # no change: nothing is admitted again
    home.run("reload")
    assert [server["name"] for server in home.run("list").document["servers"]] == ["one"]
    # a file that cannot be read changes nothing
    (home.path / FILE).write_text('{"mcpServers": {\n oops')
    home.until(lambda: home.run("status").document["counters"]["reload_refused"])
    assert "line 2" in home.run("journal").document["entries"][-1]["detail"]
    assert home.run("call", "one__echo", "text=x").code == 0
    # another server under the name takes the place of the one there is, once it is fit to serve
    write(home, One=faulty("--die-at-start", "no"))
    home.until(lambda: outcomes(home) == {"One": "failed"}, 60)
    assert home.run("call", "one__echo", "text=x").code == 0
    write(home, One=faulty("--counter"))
    home.until(lambda: outcomes(home) == {"One": "served"}, 60)
    assert home.run("call", "one__count").code == 0
    # an entry that is new, and one that is no more
    write(home, two=faulty())
    home.until(lambda: outcomes(home) == {"two": "served"}, 60)
    assert [server["name"] for server in home.run("list").document["servers"]] == ["two"]
    assert home.run("call", "two__echo", "text=x").code == 0
    assert home.run("set", "two", "--lazy").document["result"] == "applied"


@pytest.mark.slow
def test_the_policy_decides_as_for_any_other(home: Home) -> None:
    home.environ["VSM_MCP_POLICY_DENY"] = "cmd:*"
    write(home, one=faulty())
    home.serve()
    home.until(lambda: outcomes(home) == {"one": "rejected"}, 30)
    assert home.run("list").document["servers"] == []
