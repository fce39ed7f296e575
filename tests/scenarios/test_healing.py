"""The ladder, rung by rung: for each a real server that needs exactly that one, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import Home
from tests.source_trees import node_files, write

from vsm_mcp import config as configuration
from vsm_mcp.app import App
from vsm_mcp.events import Event, ServerReplaced
from vsm_mcp.model.launch import Settings

CLOCK = Path(__file__).with_name("clock.py")
pytestmark = pytest.mark.slow

QUICK = {
    "EVERY_SECONDS": "0.4",
    "DOUBT_SECONDS": "0.2",
    "FAILURES": "2",
    "ANSWER_SECONDS": "1",
    "BACKOFF_SECONDS": "0.3",
    "LONGEST_BACKOFF_SECONDS": "1",
    "LASTING_SECONDS": "2",
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    environ = {f"VSM_MCP_HEALTH_{name}": value for name, value in QUICK.items()}
    environ |= {"VSM_MCP_RUNTIME_STOP_GRACE_SECONDS": "0.5", "VSM_MCP_RUNTIME_DRAIN_SECONDS": "0.5"}
    environ |= {"VSM_MCP_GATEWAY_CALL_TIMEOUT_SECONDS": "2", "VSM_MCP_RUNTIME_RESTART_LIMIT": "1"}
    made = Home(tmp_path / "home", environ)
    yield made
    made.close()


def sick(home: Home, name: str, *flags: str) -> Path:
    """Admit a server that is sick if it is started while the file that is returned is there."""
    cause = home.path.parent / "cause" / name
    cause.parent.mkdir(exist_ok=True)
    given = ("--only-if", str(cause), *flags)
    added = home.add_faulty(name, *given, options=("--allow-path", str(cause.parent)))
    assert added.document["outcome"] == "served", added
    cause.touch()
    return cause


def waited(home: Home, question: Callable[[], Any]) -> Any:
    """Ask until the answer is true: each question is a command of its own, which takes long where much else runs."""
    return home.until(question, seconds=90)


def condition(home: Home, name: str) -> dict[str, Any]:
    found: dict[str, Any] = home.run("inspect", name).document["server"]["condition"]
    return found


def tried(home: Home, name: str) -> list[tuple[str, str]]:
    """Return which remedies were journalled, in their order."""
    lines = home.run("journal").document["entries"]
    return [
        (line["action"], line["detail"].split(":")[0])
        for line in lines
        if line["actor"] == "health" and line["subject"] == name
    ]


def settled(home: Home, name: str) -> list[str]:
    """Wait until something was done and the server is well; return what was done, as the daemon told it."""
    pattern = re.compile(rf"RemedyTried server={name} remedy=(\w+) outcome=(\w+)")
    waited(home, lambda: pattern.search(home.said) and condition(home, name)["state"] == "healthy")
    return [f"{remedy} {outcome}" for remedy, outcome in pattern.findall(home.said)]


def failing(home: Home, name: str, cause: Path) -> None:
    """Have a server seen to be failing, and only then mended: its next process will be well."""
    settings = home.path / "vsm-mcp.toml"
    settings.write_text("[health]\nheal = false\n")
    home.serve()
    waited(home, lambda: condition(home, name)["state"] == "failing")
    cause.unlink()
    settings.write_text("[health]\nheal = true\n")
    assert home.run("reload").code == 0


def test_a_hung_server_is_asked_to_end_and_started_again(home: Home) -> None:
    cause = sick(home, "hung", "--hang-on", "ping", "--hang-on", "tools/call")
    failing(home, "hung", cause)
    assert settled(home, "hung") == ["soft_restart done"]
    assert tried(home, "hung") == [("restart", "soft_restart")]
    assert home.run("call", "hung__echo", "text=4711").code == 0
    waited(home, lambda: condition(home, "hung")["attempts"] == 0)  # it has been well for long


def test_one_that_does_not_end_when_it_is_asked_to_is_killed(home: Home) -> None:
    cause = sick(home, "wedged", "--hang-on", "ping", "--ignore-sigterm", "--ignore-eof")
    failing(home, "wedged", cause)
    assert settled(home, "wedged") == ["soft_restart failed", "hard_restart done"]
    assert tried(home, "wedged") == [("restart", "soft_restart"), ("restart", "hard_restart")]


class Forgetful(http.server.BaseHTTPRequestHandler):
    """A server elsewhere with sessions; one that it has lost is never answered again, as behind a broken balancer."""

    protocol_version = "HTTP/1.1"
    lost: set[str]
    opened: list[str]
    over: threading.Event

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        session, method = self.headers.get("Mcp-Session-Id", ""), asked["method"]
        if session in self.lost:
            self.over.wait(20)
            self.close_connection = True
            return
        tool = {"name": "hello", "inputSchema": {"type": "object"}}
        answers: dict[str, Any] = {"ping": {}, "tools/list": {"tools": [tool]}}
        answers["tools/call"] = {"content": [{"type": "text", "text": "hello"}]}
        known = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
        answers["initialize"] = {**known, "serverInfo": {"name": "elsewhere", "version": "1"}}
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked.get("id")}
        if method in answers:
            answer["result"] = answers[method]
        else:
            answer["error"] = {"code": -32601, "message": "Method not found"}
        if method == "initialize":
            session = f"session-{len(self.opened)}"
            self.opened.append(session)
        body = json.dumps(answer).encode() if "id" in asked else b""
        self.send_response(200 if body else 202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(405)

    do_DELETE = do_GET  # noqa: N815 - the base class finds it by this name

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def elsewhere() -> Iterator[tuple[str, type[Forgetful]]]:
    made: dict[str, Any] = {"lost": set(), "opened": [], "over": threading.Event()}
    kind: type[Forgetful] = type("Elsewhere", (Forgetful,), made)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/mcp", kind
    finally:
        kind.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_lost_session_is_opened_again(home: Home) -> None:
    with elsewhere() as (url, kind):
        assert home.run("add", url, "--name", "far", "--yes").document["outcome"] == "served"
        home.serve()
        waited(home, lambda: condition(home, "far")["checks"])
        before = len(kind.opened)
        kind.lost |= set(kind.opened)
        assert settled(home, "far")[-1] == "reconnect done"
        assert set(tried(home, "far")) == {("restart", "reconnect")}
        assert len(kind.opened) > before
        assert home.run("call", "far__hello").code == 0
        home.close()


def test_damaged_files_are_installed_again_from_the_lock(home: Home) -> None:
    source = write(home.path.parent / "source", node_files())
    added = home.run("add", f"dir:{source}", "--name", "told", "--yes")
    assert added.document["outcome"] == "served", added
    home.serve()
    row = waited(home, lambda: (row := condition_row(home, "told"))["pid"] and row)
    installed = Path(row["installation"])
    (damaged,) = [path for path in installed.rglob("server.js") if not path.is_symlink()]
    damaged.write_text("process.exit(3);")
    os.kill(row["pid"], signal.SIGKILL)
    assert settled(home, "told") == ["full_recovery done"]
    assert tried(home, "told") == [("reinstall", "full_recovery")]
    assert "from the lock" in home.said
    assert home.run("call", "told__told").code == 0
    assert Path(condition_row(home, "told")["installation"]) != installed
    waited(home, lambda: not installed.exists())
    assert home.run("lock", "--verify").code == 0
    assert home.run("rollback", "told").code != 0  # the damaged one is no version to go back to


def condition_row(home: Home, name: str) -> dict[str, Any]:
    found: dict[str, Any] = home.run("inspect", name).document["server"]
    return found


def test_what_nothing_mends_waits_for_a_person_also_after_a_kill_of_the_daemon(home: Home) -> None:
    cause = sick(home, "lost", "--hang-on", "ping")
    home.serve()
    found = waited(home, lambda: (found := condition(home, "lost"))["escalated"] and found)
    assert [remedy for _, remedy in tried(home, "lost")] == ["soft_restart", "hard_restart", "replace"]
    assert found["state"] == "failing"
    assert "no other server" in next(each["detail"] for each in found["ladder"] if each["remedy"] == "replace")
    assert "Escalated" in home.said
    (row,) = home.run("list").document["servers"]
    assert row["condition"]["escalated"]
    assert any("waits for a person" in check["detail"] for check in home.run("doctor").document["checks"])
    home.daemons[-1].kill()
    home.daemons[-1].wait(20)
    home.serve()
    again = waited(home, lambda: (found := condition(home, "lost"))["escalated"] and found)
    assert again["attempts"] == found["attempts"]
    cause.unlink()
    assert home.run("restart", "lost").code == 0
    after = waited(home, lambda: (found := condition(home, "lost"))["checks"] and found["state"] == "healthy" and found)
    assert (after["attempts"], after["escalated"]) == (0, 0.0)


async def eventually(question: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not question():  # noqa: ASYNC110 - what it waits for happens in other processes
            await asyncio.sleep(0.05)


async def test_what_nothing_mends_is_replaced_until_it_is_well_again(home: Home) -> None:
    cause = home.path.parent / "cause"
    environ = {**home.env, "VSM_MCP_HEALTH_KNOCK_SECONDS": "1"}
    heard: list[Event] = []
    async with App.open(configuration.load(home.path, environ)) as app:
        app.bus.subscribe(heard.append)
        program = f"cmd:{sys.executable} {CLOCK}"
        sickly = Settings(args=("--deaf-if", str(cause)), paths=((str(home.path.parent), False),))
        for name, settings in (("sick", sickly), ("twin", Settings())):
            outcome = await app.add(program, settings, name=name, yes=True)
            assert outcome.outcome == "served", outcome
        cause.touch()
        async with app.in_service.running():
            for name in ("sick", "twin"):
                await app.running.start(name)
            file = app.in_service.healing.files
            await eventually(lambda: "sick" in file and file["sick"].climb.stands_in == ("twin",))
            await eventually(lambda: app.gateway.router.weights.get("sick") == 0.0)
            row = next(row for row in (await app.list())["servers"] if row["name"] == "sick")
            assert row["condition"]["stands_in"] == ["twin"]
            assert row["tools"]  # it loses its traffic, not its name
            remembered = await app.store.health.all()
            assert b"twin" in remembered["sick"]
            cause.unlink()
            await eventually(lambda: "sick" not in app.gateway.router.weights)
            assert not file["sick"].climb.stands_in
    told = [event.stands_in for event in heard if isinstance(event, ServerReplaced)]
    assert told == [("twin",), ()]
    assert [remedy for _, remedy in tried(home, "sick")][:3] == ["soft_restart", "hard_restart", "replace"]
    assert "knock" in [remedy for _, remedy in tried(home, "sick")]


def test_a_healthy_server_that_nobody_uses_is_looked_at_more_seldom(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", {"VSM_MCP_HEALTH_EVERY_SECONDS": "0.5", "VSM_MCP_HEALTH_IDLE_FACTOR": "40"})
    try:
        for name in ("used", "idle"):
            assert home.add_faulty(name).document["outcome"] == "served"
        home.serve()
        home.until(lambda: _looks(home, "used") and _looks(home, "idle"))
        before = {name: _looks(home, name) for name in ("used", "idle")}
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            assert home.run("call", "used__echo", "text=1").code == 0
        more = {name: _looks(home, name) - before[name] for name in before}
        assert more["idle"] <= 2
        assert more["used"] >= 5
    finally:
        home.close()


def _looks(home: Home, name: str) -> int:
    """Return how many looks are remembered (a hundred at most)."""
    return max((len(rows) for rows in condition(home, name)["history"].values()), default=0)
