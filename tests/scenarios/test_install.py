"""Installing real packages from the registries of this machine, and the ways in which that fails."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.source_trees import node_files, write

from vsm_mcp.config import load
from vsm_mcp.errors import HomeError, InstallFailed, RegistryUnavailable, UnknownPackage, VettingRejected, VsmError
from vsm_mcp.install import npm_lock
from vsm_mcp.install.choice import installer_for
from vsm_mcp.install.installer import Bench, Built, Options
from vsm_mcp.install.interpreter import other_interpreters, own_interpreter
from vsm_mcp.install.npm_scripts import run_scripts
from vsm_mcp.install.tools import find_node
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.registries.addresses import read_addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.sandbox.tool import run_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]
SERVER = "server"


@asynccontextmanager
async def _bench(home: Path, **environ: str) -> AsyncIterator[Bench]:
    config = load(home, {**os.environ, **environ})
    isolation = await probe()
    async with Registries(await read_addresses(config.environ)) as registries, Sandbox(isolation) as sandbox:
        run_sandboxed = None if isolation.tier is Tier.NONE else sandbox.run
        yield Bench(config=config, registries=registries, run_tool=run_tool, run_sandboxed=run_sandboxed)


async def _install(bench: Bench, text: str, options: Options | None = None) -> Built:
    """Resolve, fetch and build as an acquisition does; take it back when it fails."""
    ref, options = parse_ref(text), options or Options()
    installer, installations = installer_for(ref, bench), Installations(bench.config.home)
    resolved = await installer.resolve(ref, options)
    try:
        fetched = await installer.fetch(resolved, await installations.stage(SERVER, resolved.version))
        into = await installations.begin(SERVER, resolved.version)
        built = await installer.build(resolved, fetched, into, options)
    except VsmError:
        await installations.discard(SERVER, resolved.version)
        raise
    await installations.activate(SERVER, resolved.version)
    return built


def _files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if not path.is_dir()]


def _assert_all_can_read(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode & 0o444 == 0o444, path
            assert mode & 0o7022 == 0, path
            assert not path.is_dir() or mode & 0o111 == 0o111, path


async def test_npm_package(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        async with _bench(tmp_path) as bench:
            built = await _install(bench, "npm:mcp-hello-world@1.1.2")
    finally:
        os.umask(before)
    root = tmp_path / "installations" / SERVER / "1.1.2"
    assert built.entry.runtime == "node"
    assert Path(built.entry.argv[-1]).is_relative_to(root / "node_modules" / "mcp-hello-world")
    assert built.entry.roots[0] == str(root)
    assert built.packages["mcp-hello-world"] == "1.1.2" and len(built.packages) > 50
    assert built.integrity.startswith("sha512:")
    assert built.confined == (bench.run_sandboxed is not None)
    _assert_all_can_read(root)


async def test_python_package_with_a_constraint(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        async with _bench(tmp_path) as bench:
            options = Options(constraints=("mcp<2", "fastmcp<3"))
            built = await _install(bench, "pypi:mcp-python-interpreter==1.2.3", options)
    finally:
        os.umask(before)
    root = tmp_path / "installations" / SERVER / "1.2.3"
    assert built.packages["mcp"].startswith("1.") and built.packages["fastmcp"].startswith("2.")
    assert built.entry.argv == (f"{root}/venv/bin/python", f"{root}/venv/bin/mcp-python-interpreter")
    assert built.entry.roots[0] == str(root)
    target = Path(built.entry.argv[0]).resolve()
    assert str(target).startswith("/usr/") or any(target.is_relative_to(each) for each in built.entry.roots[1:])
    assert next(root.glob("venv/lib/*/site-packages/mcp/__pycache__/*.pyc"), None) is not None
    assert not list(root.glob("*.txt"))
    assert built.confined == (bench.run_sandboxed is not None)
    _assert_all_can_read(root)


async def test_package_for_a_newer_python(tmp_path: Path) -> None:
    """It takes another Python of this machine, and names both versions where there is none."""
    ref = "pypi:hashing-mcp-server==2.0.0"
    async with _bench(tmp_path / "home") as bench:
        fitting = [each for each in await other_interpreters(bench) if each.fits(">=3.13")]
        if fitting:
            built = await _install(bench, ref)
            assert Path(built.entry.argv[0]).resolve() == Path(fitting[0].path)
            assert built.entry.roots[1:] == fitting[0].roots
            return
        with pytest.raises(InstallFailed, match=r"needs Python >=3\.13, and this machine has 3\.") as caught:
            await _install(bench, ref)
    assert "Python >=3.13" in caught.value.hint
    assert _files(tmp_path) == []


async def test_no_python_is_new_enough(tmp_path: Path) -> None:
    """The same without the Pythons of version managers: where ``/usr`` has no newer one, both versions are named."""
    async with _bench(tmp_path / "home", HOME=str(tmp_path), PATH="/usr/bin:/bin", PYENV_ROOT="") as bench:
        if any(each.fits(">=3.13") for each in (own_interpreter(), *await other_interpreters(bench))):
            pytest.skip("the system's own Python is 3.13 or newer")
        with pytest.raises(InstallFailed, match=r"needs Python >=3\.13, and this machine has 3\.") as caught:
            await _install(bench, "pypi:hashing-mcp-server==2.0.0")
    assert "Python >=3.13" in caught.value.hint
    assert _files(tmp_path / "home") == []


async def test_install_scripts_run_in_the_sandbox_only_when_allowed(tmp_path: Path) -> None:
    isolation = await probe()
    if isolation.tier is Tier.NONE:
        pytest.skip("no sandbox on this machine: " + "; ".join(isolation.reasons))
    native = "node_modules/cpu-features/build/Release/cpufeatures.node"
    async with _bench(tmp_path) as plain, Sandbox(isolation) as sandbox:
        bench = msgspec.structs.replace(plain, run_sandboxed=sandbox.run)
        root = tmp_path / "work"
        root.mkdir()
        node = await find_node(bench)
        (root / "package.json").write_text('{"private":true,"dependencies":{"cpu-features":"0.0.10"}}')
        done = await run_tool(
            (*node.npm, "install", "--ignore-scripts", "--no-audit"),
            env=bench.registries.addresses.environ, cwd=str(root), timeout=120, max_output=1 << 20,
        )  # fmt: skip
        assert done.ok, done.stderr
        scripts = npm_lock.scripts_of(root, (root / "package-lock.json").read_text())
        assert [(script.package, script.ran) for script in scripts] == [("cpu-features", False)]
        assert not (root / native).exists()
        ran = await run_scripts(bench, node, root, scripts)
        assert [script.ran for script in ran] == [True]
        assert (root / native).read_bytes().startswith(b"\x7fELF")


async def test_no_script_runs_before_all_that_was_installed_was_looked_at(tmp_path: Path) -> None:
    made = "require('fs').writeFileSync('made.js', '')"
    files = node_files(bin="made.js", scripts={"build": f'node -e "{made}"'}, dependencies={"ms": "^2.1.0"})
    folder = write(tmp_path / "source", files)
    seen: list[list[str]] = []

    async def look(into: Path) -> None:
        seen.append(sorted(path.name for path in (into / "package").iterdir()))
        raise VettingRejected("no")

    async with _bench(tmp_path / "home") as bench:
        with pytest.raises(VettingRejected):
            await _install(bench, f"dir:{folder}", Options(allow_scripts=True, before_scripts=look))
        assert len(seen) == 1 and "node_modules" in seen[0] and "made.js" not in seen[0]
        seen.clear()
        await _install(bench, f"dir:{write(tmp_path / 'plain', node_files())}", Options(before_scripts=look))
        assert seen == []


@pytest.mark.parametrize(
    ("ref", "kind", "said"),
    [
        ("npm:no-such-package-4711-x", UnknownPackage, "does not exist"),
        ("pypi:no-such-package-4711-x", UnknownPackage, "does not exist"),
        ("npm:mcp-hello-world@99.0.0", UnknownPackage, "has no version 99.0.0"),
        ("pypi:mcp-server-time==99.0", UnknownPackage, "has no version 99.0"),
        ("npm:is-odd", InstallFailed, "is no MCP server: it has no executable"),
        ("pypi:six", InstallFailed, "is no MCP server: it has no executable"),
    ],
)
async def test_what_cannot_be_installed_says_why_and_leaves_nothing(
    tmp_path: Path, ref: str, kind: type[VsmError], said: str
) -> None:
    async with _bench(tmp_path) as bench:
        with pytest.raises(kind, match=said) as caught:
            await _install(bench, ref)
    assert type(caught.value) is kind and caught.value.hint
    assert _files(tmp_path) == []


async def test_contradicting_constraint_names_the_reason(tmp_path: Path) -> None:
    async with _bench(tmp_path) as bench:
        with pytest.raises(InstallFailed, match="depends on mcp>=2"):
            await _install(bench, "pypi:mcp-server-time==2026.10.19", Options(constraints=("mcp<2",)))


@pytest.mark.parametrize("ref", ["npm:mcp-hello-world", "pypi:mcp-server-time"])
async def test_a_registry_that_is_down_is_told_quickly(tmp_path: Path, ref: str) -> None:
    down = {"npm_config_registry": "http://127.0.0.1:9/", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}
    async with _bench(tmp_path, **down) as bench:
        started = time.monotonic()
        with pytest.raises(RegistryUnavailable, match="cannot connect"):
            await _install(bench, ref)
        assert time.monotonic() - started < 15


@pytest.mark.parametrize("ref", ["npm:mcp-hello-world@1.1.2", "pypi:mcp-server-time==2026.10.19"])
async def test_a_file_with_another_hash_is_refused(tmp_path: Path, ref: str) -> None:
    async with _bench(tmp_path) as bench:
        installer = installer_for(parse_ref(ref), bench)
        resolved = await installer.resolve(parse_ref(ref), Options())
        assert resolved.archive is not None
        algorithm, digest = resolved.archive.digest.split(":")
        forged = msgspec.structs.replace(resolved.archive, digest=f"{algorithm}:{digest[::-1]}")
        into = await Installations(tmp_path).stage(SERVER, resolved.version)
        with pytest.raises(InstallFailed, match="does not match its hash"):
            await installer.fetch(msgspec.structs.replace(resolved, archive=forged), into)
        assert not (into / "package").exists()


async def test_cool_down_takes_an_older_version(tmp_path: Path) -> None:
    async with _bench(tmp_path) as bench:
        ref = parse_ref("pypi:mcp-server-time")
        project = await bench.registries.pypi_project(ref.name)
        resolved = await installer_for(ref, bench).resolve(ref, Options(min_release_age_days=100))
    assert resolved.version != project["info"]["version"]
    assert resolved.version in project["releases"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize(
    "ref", ["npm:mcp-hello-world@1.1.2", "pypi:mcp-server-time==2026.10.19", "pypi:kglite==0.21.2"]
)
async def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path, ref: str) -> None:
    async with _bench(small_disk / "home") as bench:
        with pytest.raises(HomeError, match="no space is left"):
            await _install(bench, ref)
    assert _files(small_disk) == []
