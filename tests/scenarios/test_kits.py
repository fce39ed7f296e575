"""Kits and files of other programs, through the command line: taken in, written again, and given back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import FAULTY, Home

SECRET = "hush-hush-5f4dcc3b5aa765d61d83"


def kit(path: Path, **more: Any) -> Path:
    one = {
        "source": "https://example.com/one",
        "command": sys.executable,
        "args": [str(FAULTY)],
        "env": {"MODE": "x", "MY_TOKEN": "${MY_TOKEN}"},
        "prefix": "one",
        "notes": "Echo what is said",
    }
    document: dict[str, Any] = {
        "name": "Web",
        "author": "me",
        "links": {"home": "https://h"},
        "x-other": [1],
        "servers": {"one": one},
    }
    document["servers"] |= more
    path.write_text(json.dumps(document))
    return path


@pytest.mark.slow
def test_a_kit_from_file_to_server_and_back(home: Home, tmp_path: Path) -> None:
    home.environ |= {"MY_TOKEN": SECRET, "HOME": str(tmp_path)}
    home.serve()
    file = kit(tmp_path / "web.json", bad={"source": "s"}, off={"source": "s", "command": "npx", "enabled": False})
    assert home.run("kit", "import", str(file)).document["servers"] == 1
    assert home.run("kit", "import", str(file)).code == 2
    assert (home.path / "kit.d" / "web.json").exists()
    row = home.run("kit", "list").document["kits"]["web"]
    assert (row["loaded"], row["servers"]) == (False, ["one", "bad", "off"])
    (plan,) = home.run("kit", "show", "web").document["adds"]["servers"]
    assert (plan["name"], plan["env"], plan["secrets"]) == ("one", ["MODE"], ["MY_TOKEN"])
    # without a person's leave the policy says no; with it, the server goes the way of every other
    refused = home.run("kit", "load", "web", "one")
    assert (refused.code, refused.document["servers"][0]["outcome"]) == (3, "rejected")
    loaded = home.run("kit", "load", "web", "one", "--yes")
    assert (loaded.code, loaded.document["servers"][0]["outcome"]) == (0, "served")
    assert home.run("call", "one__env", "name=MY_TOKEN").document["content"][0]["text"] == SECRET
    assert home.run("kit", "load", "web", "one").document["servers"][0]["outcome"] == "present"
    assert home.run("kit", "list").document["kits"]["web"]["loaded"] is True
    # what is written again means the same, has all that was unknown to us, and no secret
    exported = home.run("kit", "export", "web", "--version", "2").document
    before = json.loads(file.read_text())
    assert {key: exported[key] for key in ("name", "author", "links", "x-other")} == {
        key: before[key] for key in ("name", "author", "links", "x-other")
    }
    one = exported["servers"]["one"]
    assert {key: one[key] for key in before["servers"]["one"]} == before["servers"]["one"]
    assert [exported["servers"][name] for name in ("bad", "off")] == [
        before["servers"][name] for name in ("bad", "off")
    ]
    assert SECRET not in json.dumps(exported)
    for name, document in (("again.json", exported), ("mcp.json", home.run("export").document)):
        (tmp_path / name).write_text(json.dumps(document))
        (again,) = home.run("import", str(tmp_path / name), "one", "--dry-run").document["servers"]
        assert again == plan
    # another kit that has the server, too, keeps it; then it goes
    kit(home.path / "kit.d" / "other.json")
    assert home.run("kit", "unload", "web").document["kept"] == [{"name": "one", "kit": "other"}]
    (home.path / "kit.d" / "other.json").unlink()
    assert home.run("kit", "unload", "web").document["removed"][0]["ok"] is True
    assert home.run("list").document["servers"] == []
    assert home.run("kit", "unload", "nowhere").code == 4


def test_hostile_words_of_a_file_are_data(home: Home, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    servers = {
        "shell\x1b[31m": {"command": "sh", "args": ["-c", f"touch {trap}"]},
        "words": {"command": f"touch {trap}; npx evil"},
        "fetched": {"command": "npx", "args": ["-y", f"pkg; touch {trap}"]},
        "asked": {"command": "npx", "args": ["pkg", "${NOT_THERE}"]},
        "contained": {"command": "docker", "args": ["run", "-i", "--rm", "mcp/fetch"]},
        "fine": {"command": "npx", "args": ["-y", "pkg@latest", f"$(touch {trap})"], "env": {"KEY": SECRET}},
    }
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    done = home.run("import", str(file), "--dry-run")
    rows = {row["title"]: row for row in done.document["servers"]}
    assert rows["fine"]["ref"] == "npm:pkg"
    assert rows["fine"]["settings"]["args"] == [f"$(touch {trap})"]
    assert rows["words"]["ref"] == f"cmd:'touch {trap}; npx evil'"
    assert {row["title"] for row in done.document["unusable"]} == {"fetched", "asked"}
    assert rows["contained"]["ref"] == "oci:mcp/fetch"
    assert SECRET not in json.dumps(done.document)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["import", "nowhere.json"], 2, "bad_argument"),
        (["import", "/"], 2, "bad_argument"),
        (["import", "cursor"], 2, "bad_argument"),
        (["kit", "load", "nowhere"], 4, "unknown_kit"),
        (["kit", "export", "../x"], 2, "bad_argument"),
    ],
)
def test_what_cannot_be_done_says_why(home: Home, tmp_path: Path, words: list[str], code: int, error: str) -> None:
    home.environ["HOME"] = str(tmp_path)
    done = home.run(*words)
    assert (done.code, done.document["error"]["code"]) == (code, error)


def test_a_search_finds_what_lies_on_this_machine_and_keeps_its_keys(home: Home, tmp_path: Path) -> None:
    """The settings of a client, a kit, a folder and a program: found by name and words, and nothing of it is run."""
    trap = tmp_path / "trap"
    home.environ |= {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "VSM_MCP_DISCOVERY_SOURCES": "clients,kits,local",
        "VSM_MCP_DISCOVERY_DESCRIBE_BEST": "0",
    }
    program = tmp_path / "bin" / "weather-forecast-mcp"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {trap}\n")
    program.chmod(0o755)
    entry = {
        "command": "npx",
        "args": ["-y", "weather-npx-mcp"],
        "env": {"WEATHER_KEY": SECRET},
        "description": "Weather forecast",
    }
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": {"weather": entry}}))
    (tmp_path / ".kiro" / "settings").mkdir(parents=True)
    (tmp_path / ".kiro" / "settings" / "mcp.json").write_text("{ oops")
    kit(
        tmp_path / "k.json",
        forecast={"source": "s", "command": "uvx", "args": ["forecast-kit-mcp"], "notes": "Weather forecast"},
    )
    assert home.run("kit", "import", str(tmp_path / "k.json")).code == 0
    (tmp_path / "mcp").mkdir()
    manifest = {"name": "weather-node-mcp", "description": "Weather forecast", "keywords": ["mcp-server"]}
    (tmp_path / "mcp" / "package.json").write_text(json.dumps(manifest))
    done = home.run("search", "weather forecast")
    found = {row["ref"]: row["addable"] for row in done.document["candidates"]}
    assert found == {
        "npm:weather-npx-mcp": True,
        "pypi:forecast-kit-mcp": True,
        "cmd:weather-forecast-mcp": True,
        f"dir:{tmp_path}/mcp": True,
    }
    told = {row["source"]: (row["state"], row["detail"]) for row in done.document["sources"] if row["on"]}
    assert told["clients"][0] == "ok"
    assert "it is no JSON: line 1" in told["clients"][1]
    assert SECRET not in json.dumps(done.document) + done.stderr
    assert not trap.exists()
    stored = b"".join(file.read_bytes() for file in home.path.rglob("*") if file.is_file())
    assert SECRET.encode() not in stored
