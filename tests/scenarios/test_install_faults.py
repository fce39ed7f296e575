"""Installing while something goes wrong: a clear error, nothing left, and the earlier version goes on serving."""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.scenarios import loopback
from tests.scenarios.homes import FAULTY, Home, processes_of
from tests.scenarios.loopback import NAME, Front

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BOMB = {"bomb": bytes(60 * 1024 * 1024)}
OUTSIDE = {"npm": {"package/../../../outside": b"x"}, "pypi": {"../../outside": b"x"}}
# Opens the app as the command line does, and takes the disk away when a step begins.
SPOILER = """
import asyncio, json, subprocess, sys
from vsm_mcp.app import App
from vsm_mcp.errors import VsmError
from vsm_mcp.model.launch import Settings

trouble, step, ref, disk = sys.argv[1:]

def spoil(event):
    if type(event).__name__ != "StepStarted" or event.step != step:
        return
    if trouble == "closed":
        for folder in (disk + "/home/installations", disk + "/home/run"):
            subprocess.run(["mount", "--bind", folder, folder], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        return
    with open(disk + "/filler", "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass

async def main():
    try:
        async with App.open(for_operation="add") as app:
            app.bus.subscribe(spoil)
            outcome = await app.add(ref, Settings(), name="python", yes=True)
        reason = outcome.reason
        print(json.dumps([outcome.outcome, reason.message if reason else "", reason.hint if reason else ""]))
    except VsmError as error:
        print(json.dumps(["error", error.message, error.hint]))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Both registries, with version 1.0.0 of one package in each."""
    with loopback.verdaccio(tmp_path_factory.mktemp("registry")) as npm, loopback.front(npm) as made:
        made.publish_npm("1.0.0")
        made.publish_pypi("1.0.0")
        yield made


@dataclass
class Served:
    """A daemon that serves version 1.0.0 from both registries."""

    home: Home
    files: list[str]

    def check(self) -> None:
        """Version 1.0.0 answers, nothing was left, and no process but the daemon and its servers."""
        versions = {row["name"]: row["version"] for row in self.home.run("list").document["servers"]}
        assert versions == {"node": "1.0.0", "python": "1.0.0"}
        assert self.home.run("call", "node__version").document["content"][0]["text"] == "1.0.0"
        assert "5" in self.home.run("call", "python__add", "a=2", "b=3").document["content"][0]["text"]
        assert sorted(self.home.left()) == self.files
        assert not (self.home.path / "run" / "staging" / "node").exists()
        tools = [line for line in processes_of(str(self.home.path)) if " npm" in line or "uv " in line[:80]]
        assert tools == []


@pytest.fixture(scope="module")
def served(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    home = Home(folder / "home", front.environ(folder))
    home.serve()
    try:
        for name, kind in (("node", "npm"), ("python", "pypi")):
            added = home.run("add", f"{kind}:{NAME}", "--name", name, "--yes")
            assert added.document["outcome"] == "served", added.document["reason"]
        ready = Served(home, sorted(home.left()))
        yield ready
    finally:
        home.close()


def refused(home: Home, kind: str, version: str) -> tuple[str, str]:
    """Add a version that cannot be had; return the message and the hint."""
    ref, name = (f"npm:{NAME}@{version}", "node") if kind == "npm" else (f"pypi:{NAME}=={version}", "python")
    done = home.run("add", ref, "--name", name, "--yes")
    assert done.document["outcome"] == "failed", done
    reason = done.document["reason"]
    assert reason["hint"]
    return reason["message"], reason["hint"]


@pytest.mark.parametrize(
    ("kind", "fault", "said"),
    [
        ("npm", "cut", "npm registry does not answer"),
        ("npm", "garble", "integrity checksum failed"),
        ("pypi", "cut", "the connection broke before all was there"),
        ("pypi", "garble", "does not match its hash"),
    ],
)
def test_a_download_that_goes_wrong(front: Front, served: Served, kind: str, fault: str, said: str) -> None:
    version = {"cut": "2.0.0", "garble": "2.1.0"}[fault]
    if kind == "npm":
        front.publish_npm(version)
        front.faults = {f"{version}.tgz": fault}
    else:
        front.faults = {front.publish_pypi(version): fault}
    assert said in refused(served.home, kind, version)[0]
    served.check()


@pytest.mark.parametrize(
    ("kind", "version", "said"),
    [
        ("npm", "3.0.0", "outside"),
        ("npm", "3.1.0", "decompression ratio"),
        ("npm", "3.2.0", "unexpected end"),
        ("pypi", "3.0.0", "outside"),
        ("pypi", "3.1.0", "unpacks to more than"),
        ("pypi", "3.2.0", "cannot be unpacked"),
    ],
)
def test_an_archive_that_is_hostile_or_broken(front: Front, served: Served, kind: str, version: str, said: str) -> None:
    """Its hash is the registry's: it was published like this."""
    more = {"3.0.0": OUTSIDE[kind], "3.1.0": BOMB}.get(version, {})
    if kind == "npm":
        archive = loopback.tarball(version, more)
        front.publish_npm(version, archive if more else archive[: len(archive) // 2])
    else:
        file = front.publish_pypi(version, more)
        front.files[file] = front.files[file] if more else front.files[file][:500]
    message, _ = refused(served.home, kind, version)
    assert said in message
    served.check()
    assert not list(served.home.path.parent.rglob("outside"))


def test_two_installs_of_the_same_thing_at_once(front: Front, served: Served) -> None:
    """The second waits for the first; both end well, and there is one server."""
    front.publish_pypi("4.0.0")
    ref = f"pypi:{NAME}==4.0.0"
    with ThreadPoolExecutor(2) as pool:
        words = ("add", ref, "--name", "twice", "--yes")
        done = list(pool.map(lambda _: served.home.run(*words), range(2)))
    assert [each.document["outcome"] for each in done] == ["served", "served"], done
    rows = [row for row in served.home.run("list").document["servers"] if row["name"] == "twice"]
    assert [row["version"] for row in rows] == ["4.0.0"]
    assert "5" in served.home.run("call", "twice__add", "a=2", "b=3").document["content"][0]["text"]
    assert served.home.run("remove", "twice").code == 0
    served.check()


def test_a_clock_that_went_backwards(front: Front, served: Served) -> None:
    """What was published is in the future then, and so is what was kept; no version may be taken for a young one."""
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).isoformat()
    front.publish_npm("5.0.0")
    front.dates = {"5.0.0": later, front.publish_pypi("5.0.0"): later}
    with sqlite3.connect(served.home.path / "state.db", timeout=60) as database:
        database.execute("UPDATE cache SET at = at + 2592000")
    database.close()
    for kind in ("npm", "pypi"):
        message, hint = refused(served.home, kind, "5.0.0")
        assert "younger than the cool-down" in message
        assert "is the clock of this machine right?" in hint
        served.check()
    assert served.home.run("journal").code == 0


def test_who_is_trusted_need_not_wait(front: Front, home: Home, tmp_path: Path) -> None:
    """And what has no date is taken for old: an index that gives none would be of no use else."""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    front.publish_npm("7.0.0")
    front.dates = {"7.0.0": now, front.publish_pypi("7.0.0"): now, front.publish_pypi("7.1.0"): ""}
    home.environ |= front.environ(tmp_path)
    added = home.run("add", f"pypi:{NAME}==7.1.0", "--name", "undated", "--yes").document
    assert added["outcome"] == "served", added["reason"]
    assert f"'undated': ['{NAME}']" in str(home.run("evidence", added["evidence"]).document)
    assert "younger" in refused(home, "pypi", "7.0.0")[0]
    home.environ["VSM_MCP_INSTALL_TRUSTED_PUBLISHERS"] = f"npm:{NAME},pypi:{NAME}"
    for ref in (f"npm:{NAME}@7.0.0", f"pypi:{NAME}==7.0.0"):
        added = home.run("add", ref, "--name", ref[:3], "--yes").document
        assert added["outcome"] == "served", added["reason"]


def test_a_package_that_declares_no_program_is_run_as_python_runs_packages(
    front: Front, home: Home, tmp_path: Path
) -> None:
    module = NAME.replace("-", "_")
    package = {f"{module}/__init__.py": b"", f"{module}/__main__.py": FAULTY.read_bytes()}
    front.publish_pypi("8.0.0", {f"{module}-8.0.0.dist-info/entry_points.txt": b"", **package})
    front.publish_pypi("8.1.0", {f"{module}-8.1.0.dist-info/entry_points.txt": b""})
    home.environ |= front.environ(tmp_path)
    added = home.run("add", f"pypi:{NAME}==8.0.0", "--name", "module", "--yes").document
    assert added["outcome"] == "served", added["reason"]
    assert home.run("inspect", "module").document["server"]["program"][1:] == ["-m", module]
    assert "is no MCP server: it has no executable" in refused(home, "pypi", "8.1.0")[0]


@pytest.fixture(scope="module")
def small(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home on a disk of its own, with version 1.0.0 in service."""
    folder = tmp_path_factory.mktemp("small")
    disk = folder / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if subprocess.run(argv, check=False, capture_output=True).returncode:
        pytest.skip("mounting a disk of its own needs root")
    home = Home(disk / "home", front.environ(folder))
    try:
        front.publish_pypi("6.0.0")
        added = home.run("add", f"pypi:{NAME}==1.0.0", "--name", "python", "--yes")
        assert added.document["outcome"] == "served", added.document["reason"]
        yield home
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_quota_that_is_used_up(small: Home) -> None:
    small.environ["VSM_MCP_INSTALL_QUOTA_BYTES"] = "100000"
    message, hint = refused(small, "pypi", "6.0.0")
    del small.environ["VSM_MCP_INSTALL_QUOTA_BYTES"]
    assert "installations may take 97.7 KiB" in message
    assert re.search(r"vsm-mcp remove NAME frees space: python \(\d", hint)
    assert not [file for file in small.left() if "6.0.0" in file]


def test_what_nobody_needs_goes_with_the_next_start(small: Home) -> None:
    """Two versions that nothing knows of and a cache that has grown: what is in service stays."""
    for folder in ("installations/python/0.1", "installations/python/0.2", "cache/uv"):
        (small.path / folder).mkdir(parents=True)
        (small.path / folder / "file").write_bytes(bytes(9000))
    (small.path / "installations/python/previous").symlink_to("0.2")
    small.environ["VSM_MCP_INSTALL_CACHE_BYTES"] = "1000"
    assert small.run("remove", "nobody").code == 4
    del small.environ["VSM_MCP_INSTALL_CACHE_BYTES"]
    kept = {path.name for path in (small.path / "installations/python").iterdir()}
    assert kept == {"1.0.0", "current"}
    assert not (small.path / "cache").exists()


@pytest.mark.parametrize(
    ("trouble", "step"),
    [
        ("closed", "fetch"),
        ("closed", "build"),
        ("closed", "activate"),
        ("full", "resolve"),
        ("full", "fetch"),
        ("full", "vet"),
        ("full", "build"),
        ("full", "trial"),
        ("full", "activate"),
    ],
)
def test_a_disk_that_takes_nothing_from_some_step_on(small: Home, trouble: str, step: str) -> None:
    """Full, or not to be written: what was begun is taken back at once, or by the next that has space for it."""
    disk = small.path.parent
    argv = [sys.executable, "-c", SPOILER, trouble, step, f"pypi:{NAME}==6.0.0", str(disk)]
    done = subprocess.run(argv, env=small.env, capture_output=True, timeout=120, check=False)
    for folder in ("installations", "run") if trouble == "closed" else ():
        subprocess.run(["umount", str(small.path / folder)], check=True)
    (disk / "filler").unlink(missing_ok=True)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    outcome, message, hint = json.loads(done.stdout)
    assert processes_of(str(small.path)) == []
    assert small.run("remove", "nobody").code == 4  # whoever may change something first takes back what is left
    (server,) = small.run("list").document["servers"]
    assert "5" in small.run("call", "python__add", "a=2", "b=3").document["content"][0]["text"]
    if (outcome, step) == ("served", "activate"):  # there was space enough for the few bytes that this takes
        assert server["version"] == "6.0.0"
        return
    assert hint and ("full" in message or "space" in message or "cannot be written" in message), message
    assert server["version"] == "1.0.0"
    assert not [file for file in small.left() if "6.0.0" in file]
