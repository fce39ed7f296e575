"""What every installer keeps: it resolves the same twice, runs nothing, writes nowhere else, and is undone twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.sandboxes import isolation
from tests.scenarios import loopback
from tests.scenarios.loopback import Front
from tests.source_trees import addresses_of, bundle, manifest, node_files, python_files, repository, served, write

from vsm_mcp import plugins
from vsm_mcp.config import load
from vsm_mcp.install.choice import installer_for
from vsm_mcp.install.installer import Bench, Options
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.sandbox.tool import run_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("npm") is None or shutil.which("git") is None, reason="npm and git are needed"),
]
CASES = (
    "cmd", "dir node", "dir python", "git node", "git python", "mcpb node", "mcpb python", "mcpb uv", "npm", "pypi",
    "pypi source", "remote",
)  # fmt: skip

BACKEND = """
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    try:
        open({canary!r}, "w").write("build_wheel")
    except OSError:
        seen = "closed"
    info = "told_mcp-0.3.0.dist-info/"
    files = {{
        "told_mcp.py": f"def main(): print({{seen!r}})", info + "METADATA": open("PKG-INFO").read(),
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "entry_points.txt": "[console_scripts]\\ntold-mcp = told_mcp:main\\n", info + "RECORD": "",
    }}
    with zipfile.ZipFile(folder + "/told_mcp-0.3.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "told_mcp-0.3.0-py3-none-any.whl"
"""


@pytest.fixture
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    environ = {**os.environ}
    if request.node.callspec.params["case"].startswith("git"):  # with filters and hooks of a person's own
        environ |= {"HOME": str(_person(tmp_path / "person", tmp_path / "canary"))}
    if request.node.callspec.params["case"] == "pypi source":
        environ |= request.getfixturevalue("index").environ(tmp_path) | {"HOME": str(tmp_path)}
    config = load(tmp_path / "home", environ)
    found = await isolation()
    async with Registries(await addresses_of(config.environ)) as registries, Sandbox(found) as sandbox:
        run_sandboxed = None if found.tier is Tier.NONE else sandbox.run
        yield Bench(config=config, registries=registries, run_tool=run_tool, run_sandboxed=run_sandboxed)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Front]:
    """An index with a project that is published as source only, whose build needs nothing and leaves a canary."""
    backend = BACKEND.format(canary=str(tmp_path / "canary"))
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    with loopback.front("") as made:
        made.publish_source("told-mcp", "0.3.0", {"pyproject.toml": project, "backend.py": backend})
        yield made


@pytest.fixture
def ref_of(tmp_path: Path) -> Iterator[Callable[[str], Ref]]:
    """Return references whose sources leave a canary behind if anything of them runs."""
    canary, sources = tmp_path / "canary", tmp_path / "sources"
    files = {"node": node_files(canary), "python": python_files(canary)}

    def made(case: str, address: str) -> Ref:
        method, _, kind = case.partition(" ")
        if method == "dir":
            return parse_ref(f"dir:{write(sources / kind, files[kind])}")
        if method == "git":
            repository(sources / "told.git", {**files[kind], ".gitattributes": "* filter=canary\n"})
            return parse_ref(f"git+{address}/told.git@v1")
        if method == "mcpb":
            return parse_ref(f"mcpb:{_bundle(sources, kind, canary)}")
        plain = {
            "npm": "npm:semver@7.6.3", "pypi": "pypi:wheel==0.45.1", "pypi source": "pypi:told-mcp",
            "remote": "http://127.0.0.1:9/mcp", "cmd": f"cmd:{sys.executable} -c pass",
        }  # fmt: skip
        return parse_ref(plain[case])

    sources.mkdir()
    with served(sources) as address:
        yield lambda case: made(case, address)


def _person(home: Path, canary: Path) -> Path:
    """Make a home whose git runs something at every fetch and checkout; show that it does."""
    names = ("post-checkout", "reference-transaction", "post-index-change")
    write(home, {f"hooks/{name}": f"#!/bin/sh\necho {name} > {canary}\n" for name in names})
    for name in names:
        (home / "hooks" / name).chmod(0o755)
    smudge = f'[filter "canary"]\n\tsmudge = "echo smudge > {canary}; cat"\n'
    write(home, {".gitconfig": f"[core]\n\thooksPath = {home}/hooks\n{smudge}"})
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(["git", "init", "--quiet", str(home / "tried")], env=env, check=True)
    words = ("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--allow-empty", "-m", "x")
    subprocess.run(["git", *words], cwd=home / "tried", env=env, check=True)
    assert canary.exists()
    canary.unlink()
    return home


def _bundle(sources: Path, kind: str, canary: Path) -> Path:
    if kind == "node":
        return bundle(sources / "told.mcpb", manifest("node", "server.js", None), node_files(canary))
    program = {"server.py": python_files()["src/told_mcp/server.py"] + "\nmain()\n"}
    project = {
        "pyproject.toml": '[project]\nname = "told"\nversion = "1"\n',
        "setup.py": python_files(canary)["setup.py"],
    }
    return bundle(sources / "told.mcpb", manifest(kind, "server.py", None), {**program, **project})


def test_the_contract_is_for_every_installer() -> None:
    assert {case.partition(" ")[0] for case in CASES} >= set(plugins.names("installers")) - {"oci"}


def _files(root: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("case", CASES)
async def test_contract(bench: Bench, ref_of: Callable[[str], Ref], tmp_path: Path, case: str) -> None:
    ref, installations = ref_of(case), Installations(bench.config.home)
    options = Options(allow_scripts=case == "pypi source")
    installer = installer_for(ref, bench)
    assert installer.kind is ref.kind
    before = _files(tmp_path / "sources")
    resolved = await installer.resolve(ref, options)
    again = await installer.resolve(ref, options)
    assert (again.version, again.lock, again.archive, again.packages) == (
        resolved.version, resolved.lock, resolved.archive, resolved.packages,
    )  # fmt: skip
    assert resolved.ref.identity == ref.identity and parse_ref(str(resolved.ref)).identity == ref.identity
    label = resolved.version
    stage = await installations.stage("server", label)
    kept = bench.config.home / "cache"
    outside = {path for path in bench.config.home.rglob("*") if not path.is_relative_to(kept)}
    fetched = await installer.fetch(resolved, stage)
    for path in {path for path in bench.config.home.rglob("*") if not path.is_relative_to(kept)} - outside:
        assert path.is_relative_to(stage) or path.parts[-2:] == ("run", "work"), path
    assert not (tmp_path / "canary").exists(), (tmp_path / "canary").read_text()
    into = await installations.begin("server", label)
    built = await installer.build(resolved, fetched, into, options)
    assert not (tmp_path / "canary").exists(), (tmp_path / "canary").read_text()
    assert _files(tmp_path / "sources") == before
    assert [script.name for script in built.scripts if script.ran] == (["build"] if options.allow_scripts else [])
    if ref.kind.value not in {"remote", "cmd"}:
        assert fetched.root is not None and fetched.root.is_relative_to(stage)
        assert any(word.startswith(str(into)) for word in built.entry.argv)
        assert built.integrity == fetched.archive_sha != ""
        assert json.dumps(fetched.manifest)
    for _ in range(2):
        await installations.discard("server", label)
        assert not into.exists() and not stage.exists()
