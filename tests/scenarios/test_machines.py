"""Machines that are not this one: bubblewrap hidden, namespaces refused as in a container, or set to none.

The whole program runs on them, as root and as an ordinary user: what ``doctor`` says, and real servers in the reduced
tier. A Python that others may run, and a home that they may enter, are needed for that.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios import refusing

from vsm_mcp.sandbox import enclose, seccomp
from vsm_mcp.testing import faulty

PYTHON = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin")
ROOT = os.geteuid() == 0
SOURCES = [str(Path(__file__).parents[2] / "src"), *(path for path in sys.path if path.endswith("site-packages"))]
DROP = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--")
MACHINE = seccomp.MACHINES.get(platform.machine().lower(), "")
FILTER = str(resources.files("vsm_mcp.sandbox.seccomp") / f"{MACHINE}-full.bpf")
REFUSING = (str(PYTHON), refusing.__file__, FILTER)
HIDDEN = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null "$(command -v bwrap)" && exec "$@"', "sh")

pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="no python of this version that others may run"),
    pytest.mark.skipif(enclose.abi() < enclose.LEAST_ABI, reason="no Landlock, so no reduced tier"),
    pytest.mark.skipif(
        ROOT and not all(Path(path).parent.stat().st_mode & 0o001 for path in SOURCES), reason="others may not enter"
    ),
]
needs_root = pytest.mark.skipif(not ROOT, reason="only root can make such a machine")


@pytest.fixture(params=["root", "user"] if ROOT else ["user"])
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(who: str) -> Iterator[Path]:
    path = Path(f"/tmp/machines-{secrets.token_hex(6)}")
    path.mkdir()
    if ROOT and who == "user":
        os.chown(path, 1000, 1000)
    yield path
    shutil.rmtree(path)


def run(home: Path, who: str, machine: tuple[str, ...], *words: str, **env: str) -> tuple[int, dict[str, Any]]:
    drop = DROP if ROOT and who == "user" else ()
    argv = [*machine, *drop, str(PYTHON), "-c", "from vsm_mcp.cli import main; main()", *words, "--json"]
    if machine is REFUSING:
        argv = [*drop, *machine, *argv[len(machine) + len(drop) :]]  # who may not change the user afterwards
    given = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "VSM_MCP_HOME": str(home / "vsm"),
        "PYTHONPATH": ":".join(SOURCES),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(argv, env=given | env, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def texts(document: dict[str, Any]) -> str:
    return "\n".join(f"{check['name']} {check['detail']} {check['remedies']}" for check in document["checks"])


def test_namespaces_are_refused(home: Path, who: str) -> None:
    code, document = run(home, who, REFUSING, "doctor")
    assert code == 0
    assert document["sandbox"]["tier"] == "reduced"
    assert document["sandbox"]["properties"]["filesystem"] == "enforced"
    assert document["sandbox"]["properties"]["network"] == "enforced"
    (sandbox,) = [check for check in document["checks"] if check["name"] == "sandbox"]
    assert sandbox["state"] == "warn"
    said = texts(document)
    assert "bubblewrap cannot isolate here" in said
    assert "--security-opt seccomp=unconfined" in said
    soft = [name for name, held in document["sandbox"]["properties"].items() if held != "enforced"]
    assert all(any(name in lack["properties"] for lack in document["sandbox"]["lacks"]) for name in soft)


@pytest.mark.parametrize("who", ["root" if ROOT else "user"], indirect=True)
def test_more_is_asked_for_than_there_is(home: Path, who: str) -> None:
    code, document = run(home, who, REFUSING, "doctor", VSM_MCP_SANDBOX_LEAST_TIER="full-soft")
    assert code == 1
    assert not document["healthy"]
    assert "servers are started in full-soft at least" in texts(document)


@needs_root
def test_bubblewrap_is_not_there(home: Path, who: str) -> None:
    if shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin") is None:
        pytest.skip("it really is not")
    _, document = run(home, who, HIDDEN, "doctor")
    assert document["sandbox"]["tier"] == "reduced"
    assert "bubblewrap is not installed" in texts(document)
    assert "install bubblewrap" in texts(document)


@needs_root
@pytest.mark.parametrize("who", ["user"], indirect=True)
def test_user_namespaces_are_set_to_none(home: Path) -> None:
    """In a user namespace of its own, of which the setting is."""
    code = (
        "import ctypes, os, sys\n"
        "assert ctypes.CDLL(None).unshare(0x10000000) == 0\n"
        "os.read(0, 1)\n"
        "os.setgid(0); os.setuid(0)\n"
        "open('/proc/sys/user/max_user_namespaces', 'w').write('0')\n"
        "os.execvp(sys.argv[1], sys.argv[1:])\n"
    )
    os.chown(home, 1000, 1000)
    call = [str(PYTHON), "-c", "from vsm_mcp.cli import main; main()", "doctor", "--json"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "VSM_MCP_HOME": f"{home}/vsm", "PYTHONPATH": ":".join(SOURCES)}
    argv = [str(PYTHON), "-c", code, *DROP, *call]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as process:
        own = os.readlink("/proc/self/ns/user")  # noqa: PTH115
        while os.readlink(f"/proc/{process.pid}/ns/user") == own:  # noqa: PTH115
            assert process.poll() is None
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{process.pid}/{name}").write_text("0 0 65536\n")
        said, _ = process.communicate(b"\n", timeout=60)
    document = json.loads(said)
    assert document["sandbox"]["tier"] == "reduced"
    assert "user.max_user_namespaces is 0" in texts(document)
    assert "sudo sysctl -w user.max_user_namespaces=15000" in texts(document)


def test_a_server_that_needs_the_network_is_refused_with_what_would_help(home: Path, who: str) -> None:
    server = str(shutil.copy(faulty.__file__, home / "server.py"))
    given = (f"cmd:{PYTHON} {server}", "--name", "online", "--yes", "--allow-path", server)
    code, refused = run(home, who, REFUSING, "add", *given, "--allow-host", "example.com")
    reason = refused.get("reason") or refused["error"]
    assert (code, reason["code"]) == (3, "sandbox_unavailable")
    assert "needs the network" in reason["message"]
    assert "--security-opt" in reason["hint"]


@pytest.mark.parametrize("who", ["root" if ROOT else "user"], indirect=True)
def test_a_server_is_not_silently_started_in_less_than_is_asked_for(home: Path, who: str) -> None:
    server = str(shutil.copy(faulty.__file__, home / "server.py"))
    given = (f"cmd:{PYTHON} {server}", "--name", "plain", "--yes", "--allow-path", server)
    for permitted, code, tier in (((), 3, ""), (("--allow-unsandboxed",), 0, "reduced")):
        ended, document = run(home, who, REFUSING, "add", *given, *permitted, VSM_MCP_SANDBOX_LEAST_TIER="full")
        assert (ended, document.get("tier", "")) == (code, tier), document


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "ref", "tool", "arguments", "expected"),
    [
        ("root" if ROOT else "user", "npm:mcp-hello-world@1.1.2", "add", ("a:=2", "b:=40"), "The sum is: 42"),
        ("user", "pypi:mcp-server-time==2026.10.19", "get_current_time", ("timezone=UTC",), "UTC"),
    ],
    indirect=["who"],
)
def test_real_servers_run_in_the_reduced_tier(
    home: Path, who: str, ref: str, tool: str, arguments: tuple[str, ...], expected: str
) -> None:
    code, added = run(home, who, REFUSING, "add", ref, "--name", "real", "--yes")
    assert (code, added["outcome"], added["tier"]) == (0, "served", "reduced"), added
    code, called = run(home, who, REFUSING, "call", f"real__{tool}", *arguments)
    assert code == 0, called
    assert expected in json.dumps(called["content"])
