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
