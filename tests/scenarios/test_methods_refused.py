"""What the methods refuse: repositories, folders and bundles that are broken, hostile, or not made for this machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sandboxes import isolation
from tests.source_trees import (
    NODE_SERVER,
    addresses_of,
    bundle,
    commit,
    files_served,
    git,
    manifest,
    node_files,
    python_files,
    repository,
    served,
    write,
)

from vsm_mcp.config import Install, load
from vsm_mcp.errors import BadArgument, InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install.choice import installer_for
from vsm_mcp.install.installer import Bench, Fetched, Options, Resolved
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.sandbox.tool import run_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("npm") is None or shutil.which("git") is None, reason="npm and git are needed"),
]
Refuse = Callable[..., Any]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    config = load(tmp_path / "home", {**os.environ})
    found = await isolation()
    async with Registries(await addresses_of(config.environ)) as registries, Sandbox(found) as sandbox:
        run_sandboxed = None if found.tier is Tier.NONE else sandbox.run
        yield Bench(config=config, registries=registries, run_tool=run_tool, run_sandboxed=run_sandboxed)


async def fetched(bench: Bench, text: str, options: Options | None = None) -> tuple[Resolved, Fetched]:
    ref = parse_ref(text)
    installer = installer_for(ref, bench)
    resolved = await installer.resolve(ref, options or Options())
    return resolved, await installer.fetch(
        resolved, await Installations(bench.config.home).stage("s", resolved.version)
    )


async def refused(bench: Bench, text: str, kind: type[VsmError], said: str) -> str:
    with pytest.raises(kind, match=said) as caught:
        await fetched(bench, text)
    assert type(caught.value) is kind and caught.value.hint
    work = bench.config.home / "run" / "work"
    assert not work.exists() or not any(work.iterdir())
    return caught.value.hint


def limited(bench: Bench, **limits: Any) -> Bench:
    return msgspec.structs.replace(bench, config=msgspec.structs.replace(bench.config, install=Install(**limits)))


# --- git ---------------------------------------------------------------------------------------------------------


async def test_a_repository_is_pinned_to_a_commit(bench: Bench, tmp_path: Path) -> None:
    """By branch, tag, and commit; the commit of before is still there when the branch has gone on."""
    first = repository(tmp_path / "r.git", {f"servers/told/{name}": text for name, text in python_files().items()})
    work = tmp_path / "r.git.work"
    git(work, "checkout", "--quiet", "-b", "feature/x")
    (work / "servers/told/new.txt").write_text("new")
    (work / "servers/told/AGENTS.md").symlink_to("new.txt")
    (work / "servers/told/passwd").symlink_to("/etc/passwd")
    second = commit(tmp_path / "r.git", work, "v2")
    with served(tmp_path) as address:
        for rev, expected in (("v1", first), ("feature/x", second), (second, second), (first, first)):
            resolved, found = await fetched(bench, f"git+{address}/r.git@{rev}#subdirectory=servers/told")
            assert resolved.version == resolved.ref.version == expected
            assert found.root is not None
            assert (found.root / "new.txt").exists() is (expected == second)
            assert found.manifest["name"] == "told-mcp"
        assert found.root is not None
        assert not any(path.name in {".git", "passwd"} for path in found.root.rglob("*"))
        await refused(bench, f"git+{address}/r.git@nope", UnknownPackage, "has no nope")
        for unknown in ("0" * 40, "a" * 40):
            await refused(bench, f"git+{address}/r.git@{unknown}", UnknownPackage, f"has no {unknown}")
        await refused(bench, f"git+{address}/r.git@v1", InstallFailed, r"no package\.json and no pyproject\.toml")
        await refused(bench, f"git+{address}/r.git@v1#subdirectory=no", InstallFailed, "no folder 'no'")
        await refused(bench, f"git+{address}/none.git", UnknownPackage, "no repository that may be read")
        assert "max_unpacked_bytes" in await refused(
            limited(bench, max_files=2), f"git+{address}/r.git@v1", InstallFailed, "which is too much"
        )
    _, found = await fetched(bench, f"git+file://{tmp_path}/r.git@v2#subdirectory=servers/told")
    assert found.root is not None and (found.root / "AGENTS.md").read_text() == "new"
    assert not (found.root / "AGENTS.md").is_symlink()


@pytest.mark.parametrize(
    ("ref", "kind", "said"),
    [
        ("git+http://127.0.0.1:9/r.git", RegistryUnavailable, "cannot be fetched"),
        ("git+http://example.org/r.git@main", BadArgument, "changed by anyone on the way"),
        ("git+git://example.org/r.git", BadArgument, "changed by anyone on the way"),
        ("git+ssh://git@example.org/r.git", BadArgument, "takes a key of yours"),
    ],
)
async def test_what_git_does_not_fetch(bench: Bench, ref: str, kind: type[VsmError], said: str) -> None:
    await refused(bench, ref, kind, said)


# --- folders -----------------------------------------------------------------------------------------------------


async def test_a_folder_is_copied_without_keys_and_what_is_made_anew(bench: Bench, tmp_path: Path) -> None:
    root = write(tmp_path / "told", python_files())
    more = {".env": "KEY=x", ".npmrc": "x", "node_modules/a/b.js": "", "v/pyvenv.cfg": "", "v/x": "", ".git/config": ""}
    write(root, {**more, "data/notes.txt": "n"})
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    resolved, found = await fetched(bench, f"dir:{root}")
    names = {member.name for member in found.members}
    assert names == {*python_files(), "data/notes.txt"}
    (root / "data/notes.txt").write_text("other")
    assert (await fetched(bench, f"dir:{root}"))[0].version != resolved.version
    with pytest.raises(InstallFailed, match="changed while"):
        await installer_for(resolved.ref, bench).fetch(resolved, await Installations(tmp_path / "h").stage("s", "1"))


@pytest.mark.parametrize(
    ("files", "kind", "said"),
    [
        ({"README.md": ""}, InstallFailed, "no package.json and no pyproject.toml"),
        ({"Dockerfile": ""}, InstallFailed, "but a Dockerfile"),
        ({"package.json": "{"}, InstallFailed, "package.json that cannot be read"),
        ({"pyproject.toml": "["}, InstallFailed, "pyproject.toml that cannot be read"),
        ({"package.json": '{"name":"a"}'}, InstallFailed, "its program index.js is not there"),
        ({"package.json": '{"bin":"d.js","scripts":{"build":"tsc"}}'}, InstallFailed, "scripts may not run"),
        ({**node_files(dependencies={"a": "git+https://h.example/a"})}, InstallFailed, "git"),
        ({"pyproject.toml": '[project]\nname="a"\n'}, InstallFailed, "declares no program"),
        ({"setup.py": "", "server.py": ""}, InstallFailed, "only when it is built"),
        ({"pyproject.toml": '[project]\nname="a"\nrequires-python=">=3.99"\n[project.scripts]\na="a:b"'},
         InstallFailed, r"needs Python >=3\.99"),
        ({"requirements.txt": "-r x\n", "server.py": ""}, InstallFailed, "has -r in requirements.txt"),
        ({"requirements.txt": "a @ https://h.example/a.whl\n", "server.py": ""}, InstallFailed, "from an address"),
    ],
)  # fmt: skip
async def test_what_is_no_project(
    bench: Bench, tmp_path: Path, files: dict[str, str], kind: type[VsmError], said: str
) -> None:
    await refused(bench, f"dir:{write(tmp_path / 'told', files)}", kind, said)


async def test_folders_that_cannot_be_used(bench: Bench, tmp_path: Path) -> None:
    await refused(bench, f"dir:{tmp_path}/none", BadArgument, "is not there")
    await refused(bench, f"dir:{tmp_path}", BadArgument, "own home")
    root = write(tmp_path / "told", {**python_files(), **{f"x/{n}": "xx" for n in range(8)}})
    await refused(limited(bench, max_files=8), f"dir:{root}", InstallFailed, "more than 8 files")
    await refused(limited(bench, max_unpacked_bytes=1000), f"dir:{root}", InstallFailed, "more than 0 MB")


# --- bundles -----------------------------------------------------------------------------------------------------

NODE = {"command": "node", "args": ["${__dirname}/server.js"]}
SOURCE = {"server.js": NODE_SERVER}


def _raw(path: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest("node", "server.js", NODE)))
        for name, data in entries:
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return path


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("server.js")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([("../../escaped.js", b"x")], "leads outside"),
        ([("/escaped.js", b"x")], "unusable path"),
        ([(_link(), b"/etc/passwd")], "holds a symbolic link"),
        ([("server.js", bytes(80 << 20))], "unpacks to more than"),
        ([("other.js", b"x")], r"program of told, server\.js, is not in the bundle"),
    ],
)
async def test_hostile_bundles(bench: Bench, tmp_path: Path, entries: list[Any], said: str) -> None:
    path = _raw(tmp_path / "told.mcpb", entries)
    await refused(limited(bench, max_unpacked_bytes=60 << 20), f"mcpb:{path}", InstallFailed, said)
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**manifest("node", "server.js", NODE), "manifest_version": "9.9"}, "version '9.9' of the bundle format"),
        ({**manifest("node", "server.js", NODE), "server": {"type": "java"}}, r"cannot be used: .*server\.type"),
        (manifest("node", "../server.js", NODE), "outside of the bundle"),
        (manifest("node", "server.js", NODE, compatibility={"platforms": ["win32"]}), "made for win32"),
        (manifest("node", "server.js", NODE, compatibility={"runtimes": {"node": ">=99"}}), "needs node >=99"),
        (manifest("python", "s.py", {"command": "python3", "args": ["server.js"]},
                  compatibility={"runtimes": {"python": ">=3.99"}}), "needs Python >=3.99"),
        (manifest("node", "server.js", {"command": "npx", "args": ["-y", "told-mcp"]}), "fetches a package"),
        (manifest("binary", "server.js", {"command": "bash", "args": ["-c", "x"]}), "which is not in it"),
        (manifest("node", "server.js", {"command": "node", "args": ["${__dirname}/server.js", "${user_config.k}"]},
                  user_config={"k": {"type": "string", "title": "K", "description": "k", "sensitive": True}}),
         "passes the secret k as an argument"),
    ],
)  # fmt: skip
async def test_bundles_that_do_not_fit(bench: Bench, tmp_path: Path, document: dict[str, Any], said: str) -> None:
    await refused(bench, f"mcpb:{bundle(tmp_path / 'told.mcpb', document, SOURCE)}", InstallFailed, said)


async def test_broken_bundles_and_wrong_hashes(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    path = bundle(folder / "told.mcpb", manifest("node", "server.js", NODE), SOURCE)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "cut.mcpb").write_bytes(path.read_bytes()[:-300])
    (folder / "empty.mcpb").write_bytes(b"")
    with zipfile.ZipFile(folder / "plain.zip", "w") as archive:
        archive.writestr("x", "x")
    with files_served(folder) as address:
        for place in (f"mcpb:{folder}", f"mcpb:{address}"):
            await refused(bench, f"{place}/told.mcpb#sha256={'0' * 64}", InstallFailed, "does not match its hash")
            await refused(bench, f"{place}/cut.mcpb", InstallFailed, "cannot be unpacked")
            await refused(bench, f"{place}/empty.mcpb", InstallFailed, "cannot be unpacked")
            await refused(bench, f"{place}/plain.zip", InstallFailed, r"no manifest\.json")
            resolved, _ = await fetched(bench, f"{place}/told.mcpb#sha256={digest}")
            assert (resolved.version, resolved.ref.version) == ("1.4.0", f"sha256={digest}")
        await refused(bench, f"mcpb:{address}/none.mcpb", UnknownPackage, "is not there")
        await refused(limited(bench, max_package_bytes=10), f"mcpb:{address}/cut.mcpb", InstallFailed, "larger than")
    await refused(bench, f"mcpb:{folder}/none.mcpb", BadArgument, "is not there")
    await refused(bench, "mcpb:http://example.org/told.mcpb", BadArgument, "changed by anyone on the way")
