"""What a person at a terminal sees and is asked."""

from __future__ import annotations

import os
import pty
import select
import sys
import time

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


def test_a_policy_that_asks_is_answered_with_no(home: Home) -> None:
    terminal = Terminal(home, "add", f"cmd:{sys.executable} {FAULTY}", "--name", "refused")
    terminal.until("[y/N]", 60)
    terminal.type("n")
    assert terminal.end() == 3, terminal.seen
    assert home.run("list").document["servers"] == []
