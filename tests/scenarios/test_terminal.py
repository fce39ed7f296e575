"""What a person at a terminal sees and is asked."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest
from tests.scenarios.homes import FAULTY, PROGRAM, Home


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, home: Home, *words: str) -> None:
        self.seen = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execve(PROGRAM, [PROGRAM, *words], home.env)  # noqa: S606 - our own program

    def until(self, text: str, seconds: float = 60) -> None:
        """Read until the command has printed ``text`` (a part not seen by an earlier call)."""
        limit, fresh = time.monotonic() + seconds, ""
        while text not in fresh:
            assert time.monotonic() < limit, self.seen
            if select.select([self._fd], [], [], 0.5)[0]:
                fresh += os.read(self._fd, 65536).decode("utf-8", "replace")
        self.seen += fresh

    def type(self, line: str) -> None:
        os.write(self._fd, f"{line}\n".encode())

    def end(self) -> int:
        """Read what is left and return the exit code."""
        while True:
            try:
                piece = os.read(self._fd, 65536)
            except OSError:  # Linux's end of file on a terminal
                break
            if not piece:
                break
            self.seen += piece.decode("utf-8", "replace")
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


@pytest.mark.slow
def test_a_missing_value_is_asked_for_and_then_used(home: Home) -> None:
    words = ("add", f"cmd:{sys.executable} {FAULTY}", "--name", "asking", "--yes")
    terminal = Terminal(home, *words, "--arg=--require-env", "--arg=SPECIAL_URL")
    terminal.until("SPECIAL_URL", 60)
    terminal.until("SPECIAL_URL:", 60)
    terminal.type("https://nowhere.invalid/x")
    assert terminal.end() == 0, terminal.seen
    assert "asking: served" in terminal.seen
    assert home.run("call", "asking__env", "name=SPECIAL_URL").document["content"][0]["text"].startswith("https://")


@pytest.mark.slow
def test_a_secret_is_not_shown_as_it_is_typed(home: Home) -> None:
    words = ("add", f"cmd:{sys.executable} {FAULTY}", "--name", "asking", "--yes")
    terminal = Terminal(home, *words, "--arg=--require-env", "--arg=SPECIAL_TOKEN")
    terminal.until("SPECIAL_TOKEN:", 60)
    terminal.type("hunter2-4711")
    assert terminal.end() == 0, terminal.seen
    assert "hunter2" not in terminal.seen


@pytest.mark.slow
def test_what_the_best_candidate_for_a_need_lacks_is_asked_for(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "data" / "mine.duckdb"
    file.parent.mkdir()
    terminal = Terminal(home, "acquire", "query a duckdb file", "--yes")
    terminal.until("made when missing", 60)
    assert "enter nothing to go on with the next candidate" in terminal.seen
    terminal.type(str(file))
    assert terminal.end() == 0, terminal.seen
    (server,) = home.run("list").document["servers"]
    assert server["ref"].startswith("pypi:mcp-server-duckdb==")


def test_a_policy_that_asks_is_answered_with_no(home: Home) -> None:
    terminal = Terminal(home, "add", f"cmd:{sys.executable} {FAULTY}", "--name", "refused")
    terminal.until("[y/N]", 60)
    terminal.type("n")
    assert terminal.end() == 3, terminal.seen
    assert home.run("list").document["servers"] == []


def test_who_is_asked_sees_what_it_would_get(home: Home, tmp_path: Path) -> None:
    words = ("add", f"cmd:{sys.executable} {FAULTY}", "--name", "asking", "--allow-path", f"{tmp_path}:rw")
    terminal = Terminal(home, *words, "--env", "MODE=value-of-mode", "--permissions", "none")
    terminal.until("[y/N]", 60)
    before = terminal.seen
    assert "profile   none" in before
    assert f"writes    {tmp_path};" in before.replace("\r\n", "")
    assert "network   off" in before
    assert "variables MODE" in before
    assert "value-of-mode" not in before
    terminal.type("y")
    assert terminal.end() == 0, terminal.seen
    assert terminal.seen.index("started for the first time") < terminal.seen.index("trial")


def test_the_plan_is_in_the_answer_the_evidence_and_what_is_inspected(home: Home, tmp_path: Path) -> None:
    done = home.add_faulty("planned", options=("--allow-path", str(tmp_path), "--permissions", "none"))
    plan = done.document["plan"]
    assert (plan["reads"], plan["writes"], plan["network"]) == ([str(tmp_path)], [], "off")
    assert str(FAULTY.parent) in plan["own"]
    records = home.run("evidence", done.document["evidence"]).document["records"]
    kinds = [record["kind"] for record in records]
    assert kinds.index("plan") < kinds.index("trial")
    assert records[kinds.index("plan")]["body"] == plan
    assert home.run("inspect", "planned").document["server"]["plan"] == plan
    refused = home.run("add", f"cmd:{sys.executable} {FAULTY}", "--name", "other", "--permissions", "browser")
    assert (refused.code, refused.document["reason"]["code"]) == (3, "approval_needed")
    assert refused.document["plan"]["permissions"] == "browser"


def test_a_profile_that_is_gone_stops_its_server_and_says_why(home: Home) -> None:
    home.path.mkdir()
    settings = home.path / "vsm-mcp.toml"
    settings.write_text("[permissions.mine]\nprocesses = 99\n")
    assert home.add_faulty("mine", options=("--permissions", "mine")).document["outcome"] == "served"
    settings.write_text("")
    assert "no permission profile 'mine'" in home.run("inspect", "mine").document["server"]["plan"]["error"]
    called = home.run("call", "mine__echo", "text=x")
    assert called.code != 0
    assert "no permission profile 'mine'" in called.document["error"]["message"]
