"""A server that does not start as it is: its own words, the registry's dates, or a person say how it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios import loopback
from tests.scenarios.homes import FAULTY, Home
from tests.scenarios.loopback import Front

from vsm_mcp.install.python_lock import versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMANDS = """
import runpy, sys
HELP = "usage: demo COMMAND\\n\\nCommands:\\n  build   Build it\\n  {name}   Go on\\n"
wanted = {wanted!r}
for at, name in enumerate(wanted, 1):
    if sys.argv[at : at + 1] != [name]:
        raise SystemExit(HELP.format(name=name))
sys.argv = [{faulty!r}]
runpy.run_path({faulty!r}, run_name="__main__")
"""
LISTENS = """
import http.server, json

class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        version = asked.get("params", {}).get("protocolVersion", "")
        about = {"name": "web", "version": "1"}
        results = {
            "initialize": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about},
            "ping": {},
            "tools/list": {"tools": [{"name": "hello", "description": "Hello.", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "hello"}]},
        }
        found = results.get(asked["method"]) if self.path == "/mcp" else None
        rest = {"result": found} if found is not None else {"error": {"code": -32601, "message": "unknown"}}
        body = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), **rest}).encode()
        self.send_response(404 if self.path != "/mcp" else 200 if "id" in asked else 202)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body) if "id" in asked else 0))
        self.end_headers()
        if "id" in asked:
            self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 8123), Answers)
print("the web server is running on port 8123", flush=True)
server.serve_forever()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    with loopback.front("") as made:
        yield made


def program(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text)
    return f"cmd:{sys.executable} {folder / 'program.py'}"


@pytest.mark.parametrize("wanted", [("serve",), ("mcp", "start")])
def test_a_program_that_wants_a_command_is_given_the_one_its_help_names(
    home: Home, tmp_path: Path, wanted: tuple[str, ...]
) -> None:
    ref = program(tmp_path, COMMANDS.replace("{faulty!r}", repr(str(FAULTY))).replace("{wanted!r}", repr(wanted)))
    words = ("add", ref, "--name", "demo", "--yes", "--allow-path", str(FAULTY.parent))
    added = home.run(*words)
    assert added.document["outcome"] == "served", added.document["reason"]
    assert f"with {' '.join(wanted)} before its other arguments" in " ".join(added.document["warnings"])
    home.serve()
    assert "5" in home.run("call", "demo__add", "a=2", "b=3").document["content"][0]["text"]


def test_a_program_that_listens_is_reached_where_it_says(home: Home, tmp_path: Path) -> None:
    added = home.run("add", program(tmp_path, LISTENS), "--name", "web", "--yes")
    assert added.document["outcome"] == "served", added.document["reason"]
    assert "reached at http://127.0.0.1:8123/mcp" in " ".join(added.document["warnings"])
    home.serve()
    assert home.run("call", "web__hello").document["content"][0]["text"] == "hello"


def test_a_package_that_its_dependencies_left_behind_gets_those_of_its_time(front: Front, tmp_path: Path) -> None:
    own = {
        "left_mcp.py": b"import old_part, other_part\nold_part.kept\nfrom left_server import main\n",
        "left_server.py": FAULTY.read_bytes(),
    }
    files = [
        front.publish_wheel("left-mcp", "1.0", own, program="left_mcp:main", needs=("old-part",)),
        front.publish_wheel("old-part", "1.0", {"old_part.py": b"kept = 1\n"}, needs=("other-part",)),
        front.publish_source("other-part", "1.0", {"setup.py": "raise SystemExit('built')"}),
        front.publish_wheel("old-part", "2.0", {"old_part.py": b"new = 1\n"}, needs=("other-part",)),
        front.publish_wheel("other-part", "2.0", {"other_part.py": b""}),
    ]
    front.dates |= dict(zip(files, ["2025-03-01T00:00:00Z"] * 3 + ["2025-06-01T00:00:00Z"] * 2, strict=True))
    home = Home(tmp_path / "home", front.environ(tmp_path))
    added = home.run("add", "pypi:left-mcp", "--yes")
    assert added.document["outcome"] == "served", added.document["reason"]
    lock = next((tmp_path / "home/installations").glob("*/1.0/requirements.lock")).read_text()
    assert versions(lock) == {"left-mcp": "1.0", "old-part": "1.0", "other-part": "2.0"}
    locked = home.path / "vsm-mcp.lock"
    assert "@release" in locked.read_text()
    again = Home(tmp_path / "again", front.environ(tmp_path)).run("lock", "--install", str(locked), "--yes")
    assert again.code == 0, again


def test_a_package_is_given_the_extra_that_it_says_to_install(front: Front, tmp_path: Path) -> None:
    text = b"try:\n    import more_part\nexcept ImportError:\n    raise SystemExit(\"pip install 'more-mcp[serve]'\")\n"
    inside = {"more_mcp.py": text + b"from more_server import main\n", "more_server.py": FAULTY.read_bytes()}
    needs = ('more-part; extra == "serve"',)
    front.publish_wheel("more-mcp", "1.0", inside, program="more_mcp:main", needs=needs, extra="serve")
    front.publish_wheel("more-part", "1.0", {"more_part.py": b""})
    home = Home(tmp_path / "home", front.environ(tmp_path))
    added = home.run("add", "pypi:more-mcp", "--yes")
    assert added.document["outcome"] == "served", added.document["reason"]
    assert home.run("lock").code == 0
    again = Home(tmp_path / "again", front.environ(tmp_path))
    assert again.run("lock", "--install", str(home.path / "vsm-mcp.lock"), "--yes").code == 0


def test_the_server_among_several_programs_can_be_named(front: Front, tmp_path: Path) -> None:
    programs = b"[console_scripts]\none-mcp = two_mcp:nothing\nother-mcp = two_mcp:main\n"
    inside = {"two_mcp.py": FAULTY.read_bytes(), "two_mcp-1.0.dist-info/entry_points.txt": programs}
    front.publish_wheel("two-mcp", "1.0", inside)
    home = Home(tmp_path / "home", front.environ(tmp_path))
    unclear = home.run("add", "pypi:two-mcp", "--yes").document
    assert unclear["reason"]["hint"] == "say which one is the server, with --program: one-mcp, other-mcp"
    added = home.run("add", "pypi:two-mcp", "--program", "other-mcp", "--yes")
    assert added.document["outcome"] == "served", added.document["reason"]
    assert home.run("set", "two", "--program", "one-mcp").code == 2


def test_an_upgrade_that_waits_comes_up_in_the_way_its_trial_found(front: Front, tmp_path: Path) -> None:
    server = {"grown_server.py": FAULTY.read_bytes()}
    later = (
        b"import sys\nif sys.argv[1:2] != ['serve']:\n"
        b"    raise SystemExit('usage: grown COMMAND\\n\\nCommands:\\n  serve   Serve it\\n')\n"
        b"sys.argv = [sys.argv[0], '--instructions', 'This is two.']\nfrom grown_server import main\n"
    )
    first = {"grown_mcp.py": b"from grown_server import main\n", **server}
    front.publish_wheel("grown-mcp", "1.0", first, program="grown_mcp:main")
    home = Home(tmp_path / "home", front.environ(tmp_path))
    assert home.run("add", "pypi:grown-mcp", "--yes").document["outcome"] == "served"
    front.publish_wheel("grown-mcp", "2.0", {"grown_mcp.py": later, **server}, program="grown_mcp:main")
    waits = home.run("upgrade", "grown")
    (row,) = waits.document["upgrades"]
    assert row["outcome"] == "waiting", row
    agreed = home.run("approve", row["evidence"])
    assert agreed.code == 0, agreed
    home.serve()
    assert "5" in home.run("call", "grown__add", "a=2", "b=3").document["content"][0]["text"]
    assert home.run("set", "grown", "--env", "MORE=1", "--yes").code == 0
    assert "5" in home.run("call", "grown__add", "a=2", "b=3").document["content"][0]["text"]
    home.close()
