"""A home of its own for one scenario, and the command line that works on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsm_mcp.testing import faulty

PROGRAM = str(Path(sys.executable).parent / "vsm-mcp")
MODULE = (sys.executable, "-c", "from vsm_mcp.cli import main; main()")
"""The same for a Python that has no such program beside it: the system's, which an ordinary user is given."""
COMMAND = (PROGRAM,) if Path(PROGRAM).exists() else MODULE

FAULTY = Path(faulty.__file__)


@dataclass
class Done:
    """A command that ended: its exit code, its JSON document, and what it said to the person."""

    code: int
    document: dict[str, Any]
    stderr: str


@dataclass
class Home:
    """A home of its own for one test, and the program that works on it."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "VSM_MCP_HOME": str(self.path), **self.environ}

    def run(self, *words: str, timeout: float = 120) -> Done:
        done = subprocess.run(
            [*COMMAND, *words, "--json"],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        text, stderr = done.stdout.decode(), done.stderr.decode("utf-8", "replace")
        assert "Traceback" not in stderr, stderr
        return Done(done.returncode, json.loads(text) if text.strip() else {}, stderr)

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command whose end nobody waits for."""
        null = subprocess.DEVNULL
        return subprocess.Popen([*COMMAND, *words], env=self.env, stdin=null, stdout=null, stderr=null)

    def add_faulty(self, name: str, *flags: str, options: tuple[str, ...] = ()) -> Done:
        """Admit the scripted server under a name, with its flags."""
        given = [f"--arg={flag}" for flag in flags]
        return self.run("add", f"cmd:{sys.executable} {FAULTY}", "--name", name, "--yes", *given, *options)

    def serve(self, *words: str) -> str:
        """Start a daemon; return its address once it listens. What it says is in :attr:`said`."""
        self.path.mkdir(exist_ok=True)
        with (self.path / "daemon.log").open("ab") as log:
            daemon = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0", *words], env=self.env, stdin=subprocess.DEVNULL, stderr=log
            )
        self.daemons.append(daemon)
        return str(self.until(lambda: self.run("status").document.get("address", "")))

    @property
    def said(self) -> str:
        """What the daemons wrote on stderr."""
        return (self.path / "daemon.log").read_text("utf-8")

    def until(self, question: Callable[[], Any], seconds: float = 30) -> Any:
        """Ask until the answer is true; fail after ``seconds``."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if answer := question():
                return answer
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s")

    def close(self) -> None:
        """Stop what still runs."""
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(20)

    def processes(self) -> list[str]:
        """Return the command lines of all processes that have to do with this home, less our own."""
        return processes_of(str(self.path))

    def left(self) -> list[str]:
        """Return the files under ``installations`` and in scratch."""
        folders = ("installations", "run/staging", "run/work")
        return [str(file) for folder in folders for file in (self.path / folder).rglob("*") if not file.is_dir()]


def processes_of(needle: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if needle.encode() in words:
            found.append(words[:200].replace(b"\0", b" ").decode("utf-8", "replace"))
    return found
