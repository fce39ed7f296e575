"""MCP bundles (``mcpb:FILE-or-URL[#sha256=HEX]``): unpacked, and started as their manifest says."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import Limits, digest_of, unpack_zip
from vsm_mcp.install.bundle import fitting
from vsm_mcp.install.bundle.archive import Bundles, manifest_bytes, shown
from vsm_mcp.install.bundle.manifest import NAME, Manifest, command_of, read_manifest
from vsm_mcp.install.bundle.questions import asking, check_given
from vsm_mcp.install.bundle.starting import Words, put_in, variables, words_of
from vsm_mcp.install.files import home_errors, make_readable
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.npm_tool import Npm
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.tree.locked import LockedTree
from vsm_mcp.install.tree.python import PythonTree
from vsm_mcp.install.uv_tool import Uv
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref, RefKind

_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,100}\Z")


class McpbInstaller:
    """Installs bundles. The version is what the manifest says; the reference is pinned to the hash of the file."""

    kind: Final = RefKind.MCPB

    def __init__(self, bench: Bench) -> None:
        self._bundles = Bundles(bench)
        self._npm = Npm(bench)
        self._uv = Uv(bench)
        self._python = PythonTree(bench)
        self._installations = Installations(bench.config.home)
        limits = bench.config.install
        self._limits = Limits(size=limits.max_unpacked_bytes, files=limits.max_files)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """Get the file, read its manifest and refuse what cannot run here. See ``Installer``."""
        path, digest = await self._bundles.file(ref)
        manifest = read_manifest(await asyncio.to_thread(manifest_bytes, path), shown(ref))
        fitting.check_platform(manifest, sys.platform)
        command = command_of(manifest, sys.platform)
        asked = asking(manifest, command)
        check_given(manifest, asked.inputs, options.given, command)
        async with self._installations.scratch() as scratch:
            tree = scratch / "bundle"
            members = await asyncio.to_thread(unpack_zip, path, tree, self._limits)
            words = words_of(manifest, command.command, asked, lambda name: _holds(tree, name))
            locked = await self._locked(manifest, words, tree, (each.name for each in members), options)
        version = manifest.version if _VERSION.match(manifest.version) else digest.partition(":")[2][:16]
        archive = Archive(filename=path.name, url=ref.name, digest=digest, size=path.stat().st_size)
        resolved = locked.resolved(ref.at(digest.replace(":", "=")), version, archive)
        return msgspec.structs.replace(resolved, inputs=asked.inputs)

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Unpack the file that was resolved."""
        assert resolved.archive is not None  # noqa: S101 - resolve has made it
        archive, digest, root = into / "bundle.mcpb", resolved.archive.digest, into / "package"
        kept = self._bundles.kept(digest)
        source = kept if kept.is_file() else (await self._bundles.file(resolved.ref))[0]
        with home_errors(archive):
            await asyncio.to_thread(shutil.copyfile, source, archive)
        if await asyncio.to_thread(digest_of, archive, "sha256") != digest:
            raise InstallFailed(f"{source.name} changed while it was being installed", "add it again")
        members = await asyncio.to_thread(unpack_zip, archive, root, self._limits)
        document = read_manifest((root / NAME).read_bytes(), source.name).document
        return Fetched(root=root, manifest=document, archive_sha=digest, archive=archive, members=members)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Copy what was unpacked to its place; what ``uv`` runs gets an environment of its own."""
        assert fetched.root is not None  # noqa: S101 - fetch has unpacked it
        source, root = fetched.root, into / "package"
        manifest = read_manifest((source / NAME).read_bytes(), shown(resolved.ref))
        command = command_of(manifest, sys.platform)
        asked = asking(manifest, command)
        words = words_of(manifest, command.command, asked, lambda name: _holds(source, name))
        if words.runner == "uv":
            built = await self._python.build(resolved, fetched, into, _for_uv(options, words))
        else:
            with home_errors(into):
                await asyncio.to_thread(shutil.copytree, source, root)
                if words.runner == "native":
                    (root / words.program).chmod(0o755)
                await asyncio.to_thread(make_readable, into)
            built = Built(entry=await self._entry(words, resolved, root, into), integrity=fetched.archive_sha)
        env = variables(asked, str(root), lambda name: _holds(source, name))
        if words.runner == "python" and "PYTHONPATH" not in env:
            env["PYTHONPATH"] = ":".join(_libraries(root, words))
        args = tuple(_argument(arg, root) for arg in words.args)
        entry = msgspec.structs.replace(built.entry, argv=(*built.entry.argv, *args), env=env)
        return msgspec.structs.replace(built, entry=entry)

    async def _locked(
        self, manifest: Manifest, words: Words, tree: Path, names: Iterable[str], options: Options
    ) -> LockedTree:
        """Return what the bundle needs beside what is in it, and which program of this machine runs it."""
        if words.runner == "uv":
            return await self._python.lock(tree, manifest.name, _for_uv(options, words))
        if words.program and not _holds(tree, words.program):
            raise InstallFailed(
                f"the program of {manifest.name}, {words.program[:80]}, is not in the bundle", "ask for a whole one"
            )
        runtimes = manifest.compatibility.runtimes
        if words.runner == "node":
            node = await self._npm.node()
            fitting.check_node(manifest, node.version)
            return LockedTree(requires=runtimes.get("node", ""), interpreter=node.path)
        if words.runner == "native":
            fitting.check_program(manifest, tree / words.program)
            return LockedTree()
        minors, tried = fitting.wanted_minors(manifest, names, sys.platform), []
        async for python in self._uv.interpreters():
            tried.append(python.version)
            if fitting.python_fits(manifest, python, minors):
                return LockedTree(requires=runtimes.get("python", ""), interpreter=python.path)
        raise fitting.no_python(manifest, minors, tried)

    async def _entry(self, words: Words, resolved: Resolved, root: Path, into: Path) -> Entry:
        program = (str(root / words.program),) if words.program else ()
        if words.runner == "native":
            return Entry(argv=program, runtime="native", roots=(str(into),))
        if words.runner == "node":
            node = await self._npm.node()
            return Entry(argv=(node.path, *program), runtime="node", roots=(str(into), *node.roots))
        python = await self._uv.interpreter(resolved.interpreter)
        return Entry(argv=(python.path, *program), runtime="python", roots=(str(into), *python.roots))


def _for_uv(options: Options, words: Words) -> Options:
    return msgspec.structs.replace(options, executable=words.program or "-")


def _holds(root: Path, name: str) -> bool:
    return bool(name) and ".." not in name.split("/") and name[0] not in "/-" and (root / name).exists()


def _argument(text: str, root: Path) -> str:
    """Return an argument with what can be put in; one that names something in the bundle is made absolute."""
    plain = text.removeprefix("./")
    return str(root / plain) if "$" not in text and _holds(root, plain) else put_in(text, str(root))


def _libraries(root: Path, words: Words) -> list[str]:
    """Return where a bundle has its packages by custom; a module is looked for in the bundle itself, too."""
    found = [root / "server" / "lib", root / "lib", *root.glob("server/venv/lib/python3*/site-packages")]
    return [str(path) for path in found if path.is_dir()] + ([] if words.program else [str(root)])
