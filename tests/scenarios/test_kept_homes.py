"""What a server writes in its home: found again where the home is kept, gone where it is private.

``test_ordinary_user`` runs the first half as an ordinary user, too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.sandboxes import ENV, SYSTEM_PYTHON, close, next_line, none, reduced, whole
from tests.scenarios import hog
from tests.scenarios.homes import Home

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import MEBIBYTE, Command, Completed, Confinement
from vsm_mcp.sandbox.running import Outputs
from vsm_mcp.sandbox.tier import Tier

KEEPER = Path(hog.__file__)
SAY = "import os\nhome = os.environ['HOME']\nprint(sorted(os.listdir(home)), os.getcwd() == home)\n"
WRITE = f"{SAY}os.makedirs(home + '/a/b')\nopen(home + '/a/b/c', 'w').write('x')\n"
READ = f"{SAY}print(open(home + '/a/b/c').read())\nopen(home + '/a/b/c', 'a').write('y')\n"
FILL = "import os, time\nopen(os.environ['HOME'] + '/all', 'wb').write(bytes(20 << 20))\ntime.sleep(60)\n"


@pytest.fixture(params=["limits", "soft", "reduced", "none"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    made = {"limits": whole, "soft": lambda: whole(soft=True), "reduced": reduced, "none": none}
    isolation = await made[request.param]()
    async with Sandbox(isolation, least=Tier.NONE) as opened:
        yield opened


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that a server's own user may go through, as the reduced tier needs it."""
    path = Path(f"/tmp/kept-{secrets.token_hex(6)}")
    path.mkdir()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


async def run(sandbox: Sandbox, code: str, confinement: Confinement, name: str = "keeps") -> Completed:
    command = Command(argv=(SYSTEM_PYTHON, "-I", "-S", "-c", code), env=ENV)
    child = await sandbox.spawn(command, confinement, name=name, unsandboxed=True)
    os.close(child.stdin_fd)
    outputs = Outputs(child.stdout_fd, child.stderr_fd, MEBIBYTE)
    await child.over(55)
    ended = await child.kill()
    stdout, stderr, _ = await outputs.last(2.0)
    return Completed(exit=ended, stdout=stdout, stderr=stderr)


async def test_it_is_found_again_and_is_nobody_elses(sandbox: Sandbox, place: Path) -> None:
    kept = Confinement(home=str(place / "homes" / "memory"))
    assert (await run(sandbox, WRITE, kept)).stdout == b"[] True\n"
    again = await run(sandbox, READ, kept, name="the same under another name")
    assert again.stdout == b"['a'] True\nx\n", again
    assert (place / "homes" / "memory" / "a" / "b" / "c").read_text() == "xy"
    assert (await run(sandbox, SAY, Confinement())).stdout.rstrip() in (b"[] True", b"['tmp'] True")
    assert (place / "homes" / "memory").stat().st_mode & 0o077 == 0


async def test_one_that_grows_too_large_is_ended_and_the_limit_named(sandbox: Sandbox, place: Path) -> None:
    kept = Confinement(home=str(place / "homes" / "memory"), home_bytes=10 * MEBIBYTE)
    done = await run(sandbox, FILL, kept)
    assert (done.exit.limit, done.exit.ok) == ("home", False)
    assert (place / "homes" / "memory" / "all").stat().st_size > 10 * MEBIBYTE


async def test_two_at_once_have_one_home(sandbox: Sandbox, place: Path) -> None:
    kept = Confinement(home=str(place / "homes" / "memory"))
    code = f"{WRITE}print('written', flush=True)\nimport time\ntime.sleep(60)\n"
    command = Command(argv=(SYSTEM_PYTHON, "-I", "-S", "-c", code), env=ENV)
    first = await sandbox.spawn(command, kept, name="one", unsandboxed=True)
    said = b""
    while not said.endswith(b"written\n"):
        said += await asyncio.to_thread(next_line, first.stdout_fd)
    assert (await run(sandbox, READ, kept, name="two")).stdout == b"['a'] True\nx\n"
    assert not first.ended
    await first.kill()
    close(first)


async def test_a_home_that_cannot_be_made_is_said(sandbox: Sandbox, place: Path) -> None:
    (place / "homes").write_text("in the way")
    with pytest.raises(SandboxUnavailable, match=r"File exists|Not a directory"):
        await run(sandbox, SAY, Confinement(home=str(place / "homes" / "memory")))
    assert not list(Path("/tmp").glob(f"vsm-mcp.{os.getpid()}.*"))


# --- the product -----------------------------------------------------------------------------------------------------


def add(home: Home, *words: str) -> None:
    done = home.run("add", f"cmd:{sys.executable} -I -S {KEEPER}", "--name", "keeper", "--yes", *words)
    assert done.code == 0, done


def noted(home: Home) -> str:
    """Keep a note, with a process that ends; return what another process knows of it."""
    assert home.run("call", "keeper__note", "text=tea").code == 0
    content = home.run("call", "keeper__notes").document["content"]
    return str(content[0]["text"])


def test_what_was_told_to_keep_its_home_does_until_that_is_deleted(home: Home) -> None:
    add(home, "--keep-home")
    plan = home.run("inspect", "keeper").document["server"]["plan"]
    assert noted(home) == "tea\n"
    kept = Path(plan["home"])
    assert (kept / "notes.txt").read_text() == "tea\n"
    removed = home.run("remove", "keeper").document
    assert removed["home"] == str(kept)
    add(home, "--keep-home")
    assert noted(home) == "tea\ntea\n"
    assert home.run("set", "keeper", "--private-home").code == 0
    assert noted(home) == ""
    assert home.run("set", "keeper", "--keep-home").code == 0
    assert noted(home) == "tea\ntea\ntea\n"
    assert home.run("remove", "keeper", "--delete-home").document["home"] == ""
    assert not kept.exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="a trial is watched with strace")
def test_who_was_seen_to_write_in_its_home_keeps_it_and_who_was_not_does_not(home: Home) -> None:
    add(home)
    assert noted(home) == ""
    home.run("remove", "keeper")
    done = home.run("add", f"cmd:{sys.executable} -I -S {KEEPER}", "--name", "keeper", "--yes", "--arg=--at-start")
    assert any("it writes in its home (notes.txt): that is kept" in warning for warning in done.document["warnings"])
    assert noted(home) == "tea\n"


def test_a_daemon_that_is_killed_loses_nothing(home: Home) -> None:
    add(home, "--keep-home")
    home.serve()
    assert noted(home) == "tea\n"
    home.daemons[-1].kill()
    home.daemons[-1].wait(20)
    home.serve()
    assert noted(home) == "tea\ntea\n"


def test_the_fields_agree_with_each_other(home: Home) -> None:
    done = home.run("add", f"cmd:{sys.executable} {KEEPER}", "--yes", "--keep-home", "--stateful")
    assert done.code == 2
    assert "keep_home" in str(done.document) + done.stderr
