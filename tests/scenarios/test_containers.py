"""Images from a registry on loopback, run with the engine of this machine, in a storage of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios import oci_registry
from tests.scenarios.homes import Home, processes_of
from tests.scenarios.oci_registry import Images

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.install.used_engines import remember
from vsm_mcp.sandbox.engine import Engine, find_engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Settings of podman: a storage below a temporary folder."""
    folder = tmp_path_factory.mktemp("storage")
    storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    (folder / "storage.conf").write_text(storage)
    (folder / "registries.conf").write_text("")
    yield {
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
    }
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        if str(folder) in mount:
            subprocess.run(["umount", "-l", mount.split()[1]], check=False)


@pytest.fixture(scope="module")
def engine(environ: dict[str, str]) -> Engine:
    if oci_registry.BUSYBOX is None:
        pytest.skip("no static busybox on this machine")
    try:
        found = asyncio.run(find_engine({**os.environ, **environ}))
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    if found.name != "podman":
        pytest.skip("docker has one storage for all, which is not ours to use")
    return found


@pytest.fixture(scope="module")
def images(engine: Engine, environ: dict[str, str]) -> Iterator[Images]:
    with oci_registry.registry() as made:
        text = f'[[registry]]\nlocation = "{made.address}"\ninsecure = true\n'
        Path(environ["CONTAINERS_REGISTRIES_CONF"]).write_text(text)
        yield made


@pytest.fixture
def box(home: Home, environ: dict[str, str]) -> Home:
    """A home whose engine is that of the tests."""
    home.environ |= environ
    return home


def look(home: Home, server: str) -> list[str]:
    text: str = home.run("call", f"{server}__look").document["content"][0]["text"]
    return text.split("|")


def containers(engine: Engine, environ: dict[str, str]) -> list[str]:
    argv = [*engine.command, "ps", "--all", "--format={{.Names}}"]
    done = subprocess.run(argv, env={**os.environ, **environ}, check=True, capture_output=True, timeout=120)
    return done.stdout.decode().split()


def test_an_image_is_served_by_its_digest(box: Home, images: Images, tmp_path: Path) -> None:
    """It sees what it was given, and nothing else; a tag that moves changes nothing until it is added again."""
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "file").write_text("treasure")
    (tmp_path / "granted").chmod(0o755)
    digest, ref = images.push("1"), f"oci:{images.address}/box:1"
    box.environ |= {"GIVEN": "needle-4711", "VSM_MCP_SANDBOX_MEMORY_BYTES": str(64 << 20)}
    box.environ["VSM_MCP_SANDBOX_OPEN_FILES"] = "512"
    options = ("--secret", "GIVEN", "--allow-path", str(tmp_path / "granted"), "--arg=--loud", "--env", "PATH=/bin")
    added = box.run("add", ref, "--name", "box", *options, "--yes").document
    assert (added["outcome"], added["tier"]) == ("served", "container"), added["reason"]
    shown = box.run("inspect", "box").document["server"]
    assert shown["integrity"] == digest
    assert "needle-4711" not in str(shown)
    seen = look(box, "box")
    for line in ("CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2", "links lo "):
        assert line in seen, seen
    assert "root is writable" not in seen
    assert {"tmp is writable", "open files 512"} <= set(seen)
    assert "200 MB fit" not in seen
    assert {"greeting hello", "given needle-4711", "arguments --loud"} <= set(seen)

    moved = images.push("1", mark="second")
    del box.environ["VSM_MCP_SANDBOX_MEMORY_BYTES"]
    assert {"greeting hello", "200 MB fit"} <= set(look(box, "box"))
    again = box.run("add", ref, "--name", "box", "--yes").document
    assert again["outcome"] == "served", again["reason"]
    assert box.run("inspect", "box").document["server"]["integrity"] == moved
    assert "greeting second" in look(box, "box")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("box:garbled", 1, "does not match its digest"),
        ("box:cut", 5, "does not answer"),
        ("box:missing", 4, "there is no image"),
        (f"box@sha256:{'0' * 64}", 4, "there is no image"),
        ("box:base", 1, "it has no program"),
    ],
)
def test_an_image_that_cannot_be_had(box: Home, images: Images, name: str, code: int, said: str) -> None:
    images.push("garbled", mark="garbled", fault="garble")
    images.push("cut", mark="cut", fault="cut")
    images.push("base", mark="base", program=False)
    done = box.run("add", f"oci:{images.address}/{name}", "--yes")
    reason = done.document["reason"]
    assert said in reason["message"], reason
    assert (done.code, bool(reason["hint"])) == (code, True)
    assert box.left() == []
    assert box.run("list").document["servers"] == []


def test_what_no_container_can_be_held_to_is_refused(box: Home, images: Images) -> None:
    images.push("1")
    ref = f"oci:{images.address}/box:1"
    hosts = box.run("add", ref, "--allow-host", "example.org:443", "--yes")
    assert (hosts.code, hosts.document["reason"]["message"]) == (3, "a container cannot be held to a list of hosts")
    box.environ["VSM_MCP_SANDBOX_LEAST_TIER"] = "full-soft"
    tier = box.run("add", ref, "--yes")
    assert tier.code == 3
    assert "least_tier = full-soft" in tier.document["reason"]["message"]


def test_an_image_travels_in_a_lock(box: Home, images: Images, tmp_path: Path) -> None:
    images.push("locked")
    added = box.run("add", f"oci:{images.address}/box:locked", "--name", "box", "--env", "PATH=/bin", "--yes").document
    assert added["outcome"] == "served", added["reason"]
    lock, second = str(box.path / "vsm-mcp.lock"), Home(tmp_path / "second", environ=box.environ)
    done = second.run("lock", "--install", lock, "--yes")
    assert (done.code, [row["outcome"] for row in done.document["servers"]]) == (0, ["served"]), done.document
    assert second.run("lock", "--verify", lock).code == 0


def test_a_folder_with_a_containerfile(box: Home, images: Images, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(oci_registry.SOURCE, folder)
    shutil.copy(str(oci_registry.BUSYBOX), folder / "busybox")
    refused = box.run("add", f"oci:{folder}", "--name", "made", "--yes")
    assert "--allow-scripts" in refused.document["reason"]["hint"]
    added = box.run("add", f"oci:{folder}", "--name", "made", "--allow-scripts", "--yes").document
    assert added["outcome"] == "served", added["reason"]
    assert "links lo " in look(box, "made")


def test_a_killed_daemon_leaves_no_container(
    box: Home, images: Images, engine: Engine, environ: dict[str, str]
) -> None:
    """Not even of a server that stays when its stdin ends; and what was left nevertheless goes with the next start."""
    images.push("1")
    added = box.run("add", f"oci:{images.address}/box:1", "--name", "stays", "--env", "STAY=1", "--yes").document
    assert added["outcome"] == "served", added["reason"]
    assert containers(engine, environ) == []
    box.serve()
    box.until(lambda: box.run("list").document["servers"][0]["state"] == "ready")
    (name,) = containers(engine, environ)
    pid = box.run("list").document["servers"][0]["pid"]
    assert b"server.sh" in Path(f"/proc/{pid}/cmdline").read_bytes()
    box.daemons[0].send_signal(signal.SIGKILL)
    box.daemons[0].wait(60)
    box.until(lambda: not Path(f"/proc/{pid}").exists(), seconds=60)
    box.until(lambda: not processes_of(str(box.path)), seconds=60)

    remember(box.path, engine.command)
    left = ("create", "--name=left", "--label=vsm-mcp.daemon=vsm-mcp.1.1", f"{images.address}/box:1")
    subprocess.run([*engine.command, *left], env={**os.environ, **environ}, check=True, capture_output=True, timeout=60)
    assert set(containers(engine, environ)) - {name} == {"left"}  # what podman did not remove itself is still there
    box.run("list")
    assert containers(engine, environ) == []
