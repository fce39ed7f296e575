"""Bad input: each gets a message with a hint and the exit code of the design, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scenarios.homes import FAULTY, PROGRAM, Home

NOWHERE = "http://127.0.0.1:9/"


def said(home: Home, *words: str) -> tuple[int, str, str]:
    """Return the exit code, the message and the hint of a command that failed."""
    done = home.run(*words)
    problem = done.document.get("error") or done.document.get("reason")
    assert problem, done
    return done.code, problem["message"], problem["hint"]


def assert_nothing_changed(home: Home) -> None:
    assert home.left() == []
    assert home.run("list").document["servers"] == []
    assert list((home.path / "secrets").glob("*")) == []


@pytest.mark.parametrize(
    "ref",
    [
        "npm:$(touch /tmp/x)",
        "npm:a;b",
        "npm:../../etc",
        "pypi:a b",
        "nonsense",
        "npm:",
        "npm:x@^1",
        "pypi:x==../../y",
        "npm:x\x1b[2J",
    ],
)
def test_a_reference_that_is_none(home: Home, ref: str) -> None:
    code, message, hint = said(home, "add", ref, "--yes")
    assert code == 2
    assert hint
    assert "\x1b" not in message
    assert_nothing_changed(home)


@pytest.mark.slow
@pytest.mark.parametrize("ref", ["npm:no-such-package-4711-anywhere", "pypi:no-such-package-4711-anywhere"])
def test_an_unknown_package(home: Home, ref: str) -> None:
    code, message, hint = said(home, "add", ref, "--yes")
    assert (code, bool(hint)) == (4, True)
    assert "no-such-package-4711-anywhere" in message
    assert_nothing_changed(home)


@pytest.mark.slow
@pytest.mark.parametrize("ref", ["npm:mcp-hello-world@99.0.0", "pypi:mcp-server-time==1900.1"])
def test_a_version_that_does_not_exist(home: Home, ref: str) -> None:
    code, message, hint = said(home, "add", ref, "--yes")
    assert (code, bool(hint)) == (4, True)
    assert "99.0.0" in message or "1900.1" in message
    assert_nothing_changed(home)


@pytest.mark.slow
@pytest.mark.parametrize("ref", ["npm:is-number@7.0.0", "pypi:six", "npm:cowsay@1.6.0"])
def test_a_package_that_is_no_server(home: Home, ref: str) -> None:
    home.environ["VSM_MCP_RUNTIME_START_TIMEOUT_SECONDS"] = "8"
    code, message, hint = said(home, "add", ref, "--yes")
    assert (code, bool(message), bool(hint)) == (1, True, True)
    assert "timed out" not in message
    assert_nothing_changed(home)


@pytest.mark.parametrize("ref", ["npm:mcp-hello-world", "pypi:mcp-server-time"])
def test_a_registry_that_does_not_answer(home: Home, ref: str) -> None:
    home.environ |= {
        "npm_config_registry": NOWHERE,
        "UV_DEFAULT_INDEX": NOWHERE + "simple",
        "PIP_INDEX_URL": NOWHERE + "simple",
    }
    code, message, hint = said(home, "add", ref, "--yes")
    assert (code, bool(hint)) == (5, True)
    assert "127.0.0.1:9" in message or "registry" in message.lower() or "index" in message.lower()
    assert_nothing_changed(home)


def test_a_search_goes_on_without_registries(home: Home) -> None:
    home.environ |= {
        "npm_config_registry": NOWHERE,
        "UV_DEFAULT_INDEX": NOWHERE + "simple",
        "PIP_INDEX_URL": NOWHERE + "simple",
    }
    done = home.run("search", "convert a time between time zones")
    assert done.code == 0
    assert any("time" in row["ref"] for row in done.document["candidates"][:3])


def test_a_need_that_nothing_meets(home: Home) -> None:
    assert said(home, "search", "teleport a banana to the moon")[0] == 4


def test_arguments_that_are_no_json(home: Home) -> None:
    code, message, hint = said(home, "call", "a__b", "--args", "{not json")
    assert (code, bool(hint)) == (2, True)
    assert "JSON" in message


def test_an_unknown_tool_and_an_unknown_server(home: Home) -> None:
    assert said(home, "call", "nobody__nothing")[0] == 4
    assert said(home, "inspect", "nobody")[0] == 4
    assert said(home, "remove", "nobody")[0] == 4
    assert said(home, "evidence", "nothing")[0] == 4


def test_without_leave_nothing_is_added(home: Home) -> None:
    code, message, hint = said(home, "add", f"cmd:{sys.executable} {FAULTY}")
    assert code == 3
    assert "--yes" in hint
    assert "ask" in message
    assert_nothing_changed(home)


def test_what_the_policy_denies(home: Home) -> None:
    home.path.mkdir(parents=True)
    (home.path / "vsm-mcp.toml").write_text('[policy]\ndeny = ["npm:@evil/*"]\n')
    code, message, _ = said(home, "add", "npm:@evil/server", "--yes")
    assert code == 3
    assert "npm:@evil/*" in message
    assert_nothing_changed(home)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[gateway]\nport = 'x'\n", "port"),
        ("[nonsense]\n", "nonsense"),
        ("[policy]\nautonomy = 'total'\n", "autonomy"),
        ("not toml", "vsm-mcp.toml"),
    ],
)
def test_settings_that_cannot_be_used(home: Home, text: str, named: str) -> None:
    home.path.mkdir(parents=True)
    (home.path / "vsm-mcp.toml").write_text(text)
    code, message, hint = said(home, "list")
    assert (code, bool(hint)) == (2, True)
    assert named in message


def test_a_home_that_is_not_writable(home: Home) -> None:
    home.path = Path("/proc/nowhere")
    code, message, hint = said(home, "list")
    assert (code, bool(hint)) == (1, True)
    assert "/proc/nowhere" in message


def test_a_secret_in_the_command_line_is_refused_and_not_repeated(home: Home) -> None:
    code, message, hint = said(home, "add", "npm:x", "--secret", "KEY=hunter2-4711")
    assert code == 2
    assert "hunter2" not in message + hint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--hang-on", "initialize", "--hang-on", "server/discover"), ("answer", "hung", "respond", "word")),
        (("--die-at-start", "RuntimeError: broken for test", "--exit-code", "3"), ("broken for test", "3")),
        (("--require-env", "SPECIAL_URL"), ("SPECIAL_URL",)),
    ],
)
def test_a_server_that_cannot_work_says_why(home: Home, flags: tuple[str, ...], words: tuple[str, ...]) -> None:
    home.environ["VSM_MCP_RUNTIME_START_TIMEOUT_SECONDS"] = "6"
    done = home.add_faulty("bad", *flags)
    reason = done.document["reason"]
    assert done.code in (1, 2, 5), done
    assert any(word in reason["message"] + reason["hint"] for word in words), reason
    assert_nothing_changed(home)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--big-list", "2000000"), ("--flood-stderr", "20"), ("--junk",), ("--pages", "7")])
def test_a_server_that_is_merely_odd_is_served(home: Home, flags: tuple[str, ...]) -> None:
    done = home.add_faulty("odd", *flags)
    assert done.document["outcome"] in ("served", "quarantined"), done
    if done.document["outcome"] == "served":
        assert home.run("call", "odd__add", "a=2", "b=3").document["content"][0]["text"].startswith("5")
    log = home.path / "logs" / "odd.log"
    assert not log.exists() or log.stat().st_size < 12 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk(home: Home, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=True)
    try:
        home.path = disk / "home"
        code, message, hint = said(home, "add", "npm:@coo-quack/calc-mcp@2.1.1", "--yes")
        assert (code, bool(hint)) == (1, True)
        assert "full" in message or "space" in message
        assert home.left() == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
def test_no_secret_is_found_anywhere_but_in_its_file(home: Home) -> None:
    home.environ["MY_TOKEN"] = "needle-hunter2-4711"
    done = home.add_faulty("keeper", options=("--secret", "MY_TOKEN"))
    assert done.document["outcome"] == "served"
    home.serve()
    assert home.run("call", "keeper__env", "name=MY_TOKEN").document["content"][0]["text"] == "needle-hunter2-4711"
    assert "needle-hunter2" not in str(home.run("inspect", "keeper").document)
    evidence = home.run("evidence", done.document["evidence"]).document
    assert "needle-hunter2" not in str(evidence)
    argv = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path))
    assert b"needle-hunter2" not in argv
    holders = {
        str(path.relative_to(home.path))
        for path in home.path.rglob("*")
        if path.is_file() and b"needle-hunter2" in path.read_bytes()
    }
    assert holders == {f"secrets/{done.document['evidence']}.json"}
    with sqlite3.connect(home.path / "state.db") as database:
        assert database.execute("SELECT count(*) FROM server").fetchone() == (1,)
    database.close()


def readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def test_the_program_under_test_is_the_one_of_this_environment() -> None:
    shown = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True)
    assert shown.stdout.startswith("vsm-mcp, version ")
