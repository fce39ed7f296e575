"""One lock and several homes: written by itself, verified, installed elsewhere; and what is not as it was locked."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import FAULTY, Home
from tests.source_trees import BACKEND, PYPROJECT, node_files, python_files, write

SECRET = "hush-hush-5f4dcc3b5aa765d61d83"


@pytest.fixture
def second(home: Home, tmp_path: Path) -> Home:
    return Home(tmp_path / "second", environ=home.environ)


def lock_of(home: Home) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home.path / "vsm-mcp.lock").read_bytes())
    return found


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["outcome"] for row in document["servers"]}


def test_two_homes_and_one_lock(home: Home, second: Home, tmp_path: Path) -> None:
    home.environ |= {"HOME": str(tmp_path)}
    (tmp_path / "data").mkdir()
    script = shutil.copy(FAULTY, tmp_path / "server.py")
    plain = home.run("add", f"cmd:{sys.executable} {script}", "--name", "plain", "--yes", "--arg=--pages", "--arg=3")
    assert plain.document["outcome"] == "served", plain
    assert not (second.path / "vsm-mcp.lock").exists()
    home.environ["MY_TOKEN"] = SECRET
    given = (
        "--secret",
        "MY_TOKEN",
        "--allow-path",
        f"{tmp_path}/data:rw",
        "--allow-host",
        "example.com",
        "--env",
        "A=b",
    )
    assert home.add_faulty("keyed", "--require-env", "MY_TOKEN", options=given).document["outcome"] == "served"
    path = home.path / "vsm-mcp.lock"
    text = path.read_text()
    keyed = lock_of(home)["servers"]["keyed"]
    assert SECRET not in text
    assert (keyed["entry"]["x-vsm-mcp"]["secrets"], keyed["entry"]["env"]["A"]) == (["MY_TOKEN"], "b")
    assert keyed["entry"]["x-vsm-mcp"]["settings"]["paths"] == [["${HOME}/data", True]]
    assert "tool:echo" in keyed["pins"]
    assert home.run("lock", "--verify").code == 0
    bill = home.run("lock", "--sbom").document
    assert [each["bom-ref"] for each in bill["components"]] == ["server:keyed", "server:plain"]
    # a secret that nobody gives is named, and stops no other server
    del home.environ["MY_TOKEN"]
    first = second.run("lock", "--install", str(path), "--yes")
    assert (first.code, outcomes(first.document)) == (1, {"keyed": "failed", "plain": "served"})
    assert [row["missing"] for row in first.document["servers"]] == [["MY_TOKEN"], []]
    home.environ["MY_TOKEN"] = SECRET
    again = second.run("lock", "--install", str(path), "--yes")
    assert (again.code, outcomes(again.document)) == (0, {"keyed": "served", "plain": "present"})
    assert second.run("lock", "--verify", str(path)).code == 0
    assert (second.path / "vsm-mcp.lock").read_text() == text
    # what changes afterwards is seen: in what is served, in settings, in files
    assert second.run("set", "plain", "--env", "MORE=1", "--yes").code == 0
    Path(script).write_text(Path(script).read_text() + "# changed\n")
    assert home.run("remove", "keyed").code == 0
    assert sorted(lock_of(home)["servers"]) == ["plain"]
    seen = second.run("lock", "--verify", str(path))
    items = {(row["server"], row["item"]) for row in seen.document["differences"]}
    assert seen.code == 1
    assert items == {("keyed", "server"), ("plain", "files"), ("plain", "settings")}


def test_what_is_not_as_it_was_locked_is_refused_and_leaves_nothing(home: Home, second: Home, tmp_path: Path) -> None:
    home.add_faulty("pinned")
    home.add_faulty("fine", "--tools", "3")
    lock = lock_of(home)
    lock["servers"]["pinned"]["pins"]["tool:echo"] = "0" * 64
    lock["servers"]["odd"] = {**lock["servers"]["fine"], "integrity": "sha256:" + "0" * 64}
    lock["servers"]["gone"] = {**lock["servers"]["fine"], "entry": {"x-vsm-mcp": {"ref": 3}}}
    file = tmp_path / "other.lock"
    file.write_text(json.dumps(lock))
    done = second.run("lock", "--install", str(file), "--yes")
    assert done.code == 3
    assert outcomes(done.document) == {"fine": "served", "gone": "failed", "odd": "rejected", "pinned": "rejected"}
    reasons = {row["name"]: row["reason"] for row in done.document["servers"]}
    assert "tool:echo" in reasons["pinned"]
    assert "archive" in reasons["odd"]
    assert [row["name"] for row in second.run("list").document["servers"]] == ["fine"]
    assert sorted(each.name for each in (second.path / "installations").iterdir()) == ["fine"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is needed")
def test_folders_travel_like_packages(home: Home, second: Home, tmp_path: Path) -> None:
    """Of npm's kind with a real dependency, of Python's, and one that is built: the same lock on both sides."""
    node = node_files(dependencies={"ms": "^2.1.0"})
    built = {**python_files(), "pyproject.toml": PYPROJECT + BACKEND}
    for name, files in {"node": node, "python": python_files(), "built": built}.items():
        words = ("--allow-scripts",) if name == "built" else ()
        done = home.run("add", f"dir:{write(tmp_path / name, files)}", "--name", name, "--yes", *words)
        assert done.document["outcome"] == "served", done
    path, locked = home.path / "vsm-mcp.lock", lock_of(home)["servers"]
    assert "node_modules/ms" in locked["node"]["tree"]["packages"]
    assert locked["node"]["provenance"] == {}  # nobody signs a folder, so nobody says that one was
    assert (locked["python"]["licences"], locked["python"]["builders"]) == ({"": "MIT"}, [])
    assert any(line.startswith("hatchling==") for line in locked["built"]["builders"])
    bill = {each["bom-ref"]: each for each in home.run("lock", "--sbom").document["components"]}
    assert bill["server:built"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert [each["licenses"] for each in bill["server:node"]["components"]] == [[{"license": {"id": "MIT"}}]]  # of ms
    done = second.run("lock", "--install", str(path), "--yes")
    assert outcomes(done.document) == dict.fromkeys(("node", "python", "built"), "served"), done.document
    assert second.run("lock", "--verify", str(path)).code == 0
    assert (second.path / "vsm-mcp.lock").read_bytes() == path.read_bytes()


def test_a_daemon_keeps_the_lock_and_one_that_cannot_be_written_stops_nothing(home: Home) -> None:
    home.serve()
    home.add_faulty("one")
    path = home.path / "vsm-mcp.lock"
    home.until(lambda: path.exists() and "one" in lock_of(home)["servers"])
    assert home.run("lock", "--verify").document["ok"] is True
    path.unlink()
    path.mkdir()
    (path / "in-the-way").touch()
    assert home.add_faulty("two").document["outcome"] == "served"
    refused = home.run("lock")
    assert (refused.code, refused.document["error"]["code"]) == (1, "home")
    assert not list(home.path.glob(".vsm-mcp.lock-*"))
    shutil.rmtree(path)
    assert sorted(home.run("lock").document["lock"]["servers"]) == ["one", "two"]


@pytest.mark.parametrize("words", [("--verify",), ("--verify", "{}"), ("--install", "{}"), ("--verify", "--sbom")])
def test_what_is_no_lock_is_said(home: Home, tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "bad.lock"
    file.write_text('{"schema": 99}')
    done = home.run("lock", *(word.replace("{}", str(file)) for word in words))
    assert done.code == 2
    assert done.document["error"]["hint"]
