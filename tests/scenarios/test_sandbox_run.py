"""``vsm-mcp sandbox run``: any program, in the very sandbox that a server would get."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests.scenarios.homes import MODULE, Home, processes_of

from vsm_mcp.config import Config
from vsm_mcp.sandbox import tracing
from vsm_mcp.sandbox.tier import Tier

PYTHON = "/usr/bin/python3"
COMMAND = (*MODULE, "sandbox")


@pytest.fixture(autouse=True)
def sandboxed(home: Home) -> None:
    document = json.loads(started(home, "show", "--json")[0])
    if not Tier(document["plan"]["tier"]).reaches(Tier.FULL_SOFT):
        pytest.skip("no whole sandbox here: vsm-mcp doctor says why")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def environ(home: Home) -> dict[str, str]:
    """Keep what Python compiles, wherever the suite may write: each test starts several times."""
    kept = {name: value for name, value in home.env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(home.path.parent.parent / "compiled")}


def started(home: Home, *words: str, given: bytes = b"", cwd: Path | None = None) -> tuple[bytes, bytes, int]:
    done = subprocess.run(
        [*COMMAND, *words], env=environ(home), input=given, capture_output=True, timeout=60, check=False, cwd=cwd
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done.stdout, done.stderr, done.returncode


def document_of(stderr: bytes) -> dict[str, object]:
    """The last line of stderr."""
    document: dict[str, object] = json.loads(stderr.splitlines()[-1])
    return document


def test_bytes_go_through_as_they_are(home: Home) -> None:
    data = os.urandom(3_000_000) + b"\0\r\n\xff"
    assert started(home, "run", "cat", given=data) == (data, b"", 0)
    shell = "head -c 4 >&2; cat; exit 0"
    assert started(home, "run", "sh", "-c", shell, given=b"err\nout") == (b"out", b"err\n", 0)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("true", 0)]
)
def test_the_exit_code_is_the_programs(home: Home, script: str, status: int) -> None:
    assert started(home, "run", "sh", "-c", script)[2] == status


def test_json_is_the_last_line_on_stderr(home: Home) -> None:
    stdout, stderr, status = started(
        home, "run", "--json", "--env", "A=hush", "sh", "-c", "echo out; printf err >&2; exit 3"
    )
    assert (stdout, status) == (b"out\n", 3)
    assert stderr.startswith(b"err")
    document = document_of(stderr)
    assert (document["schema"], document["status"]) == (1, 3)
    assert document["exit"] == {"code": 3, "signal": None, "oom": False, "limit": ""}
    plan = document["plan"]
    assert isinstance(plan, dict)
    assert (plan["variables"], plan["tier"] in {"full", "full-soft"}) == (["A"], True)
    assert b"hush" not in stderr


def test_what_cannot_be_run_is_said_on_stderr(home: Home) -> None:
    stdout, stderr, status = started(home, "run", "--json", "no-such-program-4711")
    assert (stdout, status) == (b"", 1)
    assert "no-such-program-4711" in str(document_of(stderr)["error"])


def test_only_what_is_granted_is_there(home: Home, place: Path) -> None:
    (place / "note").write_text("granted\n")
    note = str(place / "note")
    stdout, stderr, status = started(home, "run", "cat", note)
    assert (stdout, status) == (b"", 1), stderr
    assert started(home, "run", "--allow-path", str(place), "cat", note)[0] == b"granted\n"
    assert started(home, "run", "--allow-path", str(place), "touch", f"{place}/made")[2] == 1
    assert started(home, "run", "--allow-path", f"{place}:rw", "touch", f"{place}/made")[2] == 0
    assert (place / "made").exists()


def test_a_profile_grants_the_project(home: Home, place: Path) -> None:
    (place / "note").write_text("granted\n")
    assert (
        started(home, "run", "--permissions", "project", "sh", "-c", "cat note; touch made", cwd=place)[0]
        == b"granted\n"
    )
    assert (place / "made").exists()
    read_only = ("run", "--permissions", "read-only", "--project", str(place), "sh", "-c", "cat note; touch more")
    assert started(home, *read_only)[0::2] == (b"granted\n", 1)
    assert not (place / "more").exists()
    assert started(home, "run", "--permissions", "none", "cat", str(place / "note"))[2] == 1


def test_a_profile_sets_the_limits(home: Home) -> None:
    home.path.mkdir()
    (home.path / "vsm-mcp.toml").write_text("[permissions.small]\nopen_files = 33\nshared_memory_bytes = 1048576\n")
    words = ("sh", "-c", "ulimit -n; df --output=size -k /dev/shm | tail -1")
    assert started(home, "run", "--permissions", "small", *words)[0].split() == [b"33", b"1024"]
    assert started(home, "run", "--permissions", "browser", *words)[0].split() == [b"4096", b"524288"]


def test_a_script_is_visible_and_nothing_else_that_is_named(home: Home, place: Path) -> None:
    (place / "say.py").write_text("import sys, beside; print(beside.WORD, *sys.argv[1:])")
    (place / "beside.py").write_text("WORD = 'imported'")
    (place / "data").write_text("data")
    stdout, stderr, status = started(home, "run", PYTHON, f"{place}/say.py", "x")
    assert (stdout, status) == (b"imported x\n", 0), stderr
    assert b"No such file" in started(home, "run", "cat", "/etc/shadow", f"{home.path}")[1]


def test_the_plan_is_shown_without_running_anything(home: Home, place: Path) -> None:
    words = ("show", "--allow-path", f"{place}:rw", "--allow-host", "example.com", "--", "touch", f"{place}/made")
    text = started(home, *words)[0].decode()
    assert f"writes    {place};" in text
    assert "network   example.com" in text
    assert not (place / "made").exists()
    document = json.loads(started(home, "show", "--json", *words[1:])[0])
    assert document["plan"]["writes"] == [str(place)]


def running(home: Home, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, "run", *words], env=environ(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE)


STUBBORN = "trap 'echo told' TERM INT HUP; setsid sleep 4711.5 & echo ready; while :; do sleep 1; done"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it(home: Home, number: signal.Signals) -> None:
    with running(home, "sh", "-c", STUBBORN) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(processes_of("4711.5")) > 0
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert time.monotonic() - began < 10
    home.until(lambda: not processes_of("4711.5"), 5)


def test_a_second_signal_does_not_wait(home: Home) -> None:
    with running(home, "sh", "-c", STUBBORN) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"told\n"  # the first has arrived: two of a kind at once would be one
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert time.monotonic() - began < Config(home=home.path).runtime.stop_grace_seconds


def test_killed_it_leaves_nothing(home: Home) -> None:
    with running(home, "sh", "-c", STUBBORN) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait(20)
    home.until(lambda: not processes_of("4711.5"), 5)


def test_a_reader_who_goes_away_ends_the_writer(home: Home) -> None:
    with running(home, "yes") as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"y\ny\n"
        process.stdout.close()
        assert process.wait(20) == 141


def test_a_pipe_is_interactive(home: Home) -> None:
    with running(home, "cat") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            assert process.stdout.readline() == word
        process.stdin.close()
        assert process.wait(20) == 0


def test_on_a_terminal_ctrl_c_ends_it_and_the_terminal_stays_usable(home: Home) -> None:
    pid, leader = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [*COMMAND, "run", "sh", "-c", "test -t 0 || echo no tty; cat"], environ(home))  # noqa: S606
    seen = b""
    limit = time.monotonic() + 30

    def until(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            assert time.monotonic() < limit, seen
            if select.select([leader], [], [], 0.5)[0]:
                seen += os.read(leader, 65536)

    until(b"no tty")
    os.write(leader, b"hello\n")
    until(b"hello\r\nhello\r\n")
    os.write(leader, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    os.close(leader)


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_is_closed_is_empty(home: Home, closed: int) -> None:
    done = subprocess.run(
        ["/usr/bin/sh", "-c", f'exec "$@" {closed}{"<" if closed == 0 else ">"}&-', "sh", *COMMAND, "run", "sh", "-c",
         "cat; echo out; echo err >&2; exit 6"],
        env=environ(home), input=b"in\n", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    wanted = {0: (b"out\n", b"err\n"), 1: (b"", b"err\n"), 2: (b"in\nout\n", b"")}[closed]
    assert (done.stdout, done.stderr, done.returncode) == (*wanted, 6)


def test_watched_it_says_what_it_did(home: Home) -> None:
    if not tracing.find():
        pytest.skip("strace is not installed")
    script = "cat .ssh/id_rsa >&2; /usr/bin/true"
    stdout, stderr, status = started(home, "run", "--watch", "--json", "--env", "HOME=/home/mcp", "sh", "-c", script)
    assert (stdout, status) == (b"", 0), stderr
    document = document_of(stderr)
    behaviour, watch = document["behaviour"], document["watch"]
    assert isinstance(behaviour, dict)
    assert isinstance(watch, dict)
    assert behaviour["commands"] == ["cat .ssh/id_rsa", "/usr/bin/true"]
    assert [finding["rule"] for finding in watch["findings"]] == [
        "watch.decoy_logged", "watch.decoy_opened", "watch.ran",
    ]  # fmt: skip
    said = started(home, "run", "--watch", "sh", "-c", "cat .env; exit 4")
    assert said[2] == 4
    assert b"block     watch.decoy_told /home/mcp/.env" in said[1]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_an_ordinary_user(home: Home) -> None:
    python = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin")
    if python is None:
        pytest.skip("no Python of this version that an ordinary user may run")
    with tempfile.TemporaryDirectory(prefix="vsm-mcp-user-") as folder:
        project = Path(folder, "project")
        project.mkdir()
        for path in (folder, project):
            os.chown(path, 1000, 1000)
        packages = [path for path in sys.path if path.endswith(("site-packages", "/src"))]
        given = {
            "HOME": folder,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(packages),
            "PYTHONPYCACHEPREFIX": f"{folder}/x",
        }
        drop = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--", python, *COMMAND[1:], "run"]
        words = [
            "--permissions",
            "project",
            "--project",
            str(project),
            "--",
            "sh",
            "-c",
            "cat; echo x > made; id -u; exit 5",
        ]
        done = subprocess.run([*drop, *words], env=given, input=b"in\n", capture_output=True, timeout=60, check=False)
        if done.returncode == 3:
            pytest.skip(f"an ordinary user has no sandbox here: {done.stderr.decode()}")
        assert (done.stdout, done.returncode) == (b"in\n1000\n", 5), done.stderr
        assert (project / "made").stat().st_uid == 1000
