"""PyPI projects that are published as source only, where building was allowed: fetched, vetted, built in the sandbox.

Resolving reads the files of the source and runs none of them; its build backend runs in the step ``build`` alone.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import Limits, unpack_tarball, unpack_zip
from vsm_mcp.install.files import home_errors
from vsm_mcp.install.installer import Archive, Bench, Fetched, Options, Resolved, Script
from vsm_mcp.install.interpreter import Interpreter
from vsm_mcp.install.pypi_errors import PythonTooOld
from vsm_mcp.install.pypi_file import archive_of, download
from vsm_mcp.install.python_lock import versions
from vsm_mcp.install.sdist.reading import Sdist, check_same, read_sdist, without_extras
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.tree.python_project import check_requirements
from vsm_mcp.install.tree.wheel_build import build_wheel, examined_wheel
from vsm_mcp.install.uv_tool import Uv, UvLock
from vsm_mcp.model.ref import Ref, normalise_pypi


class Wheel(NamedTuple):
    """What is installed: the ``file`` with its ``digest`` and ``manifest``, and the ``lock`` of all there will be."""

    file: Path
    digest: str
    manifest: dict[str, Any]
    lock: str
    scripts: tuple[Script, ...] = ()


class Sources:
    """Resolves, fetches and builds source distributions."""

    def __init__(self, bench: Bench, uv: Uv) -> None:
        self._bench = bench
        self._uv = uv
        self._installations = Installations(bench.config.home)

    async def resolve(self, ref: Ref, file: dict[str, Any], options: Options) -> Resolved:
        """Lock what the source distribution ``file`` needs, and what builds it.

        Where only a build tells what it needs, the lock holds the project itself, and the rest is locked after that.
        Raises :class:`InstallFailed` and what uv's failures amount to.
        """
        package = f"{normalise_pypi(ref.name)}=={ref.version}"
        archive = archive_of(file, package)
        async with self._installations.scratch() as folder:
            sdist = read_sdist((await self._unpacked(archive, folder, package)).root or folder, package)
        requires = str(file.get("requires_python") or "") or sdist.manifest["requires_python"]
        failure: InstallFailed | None = None
        tried: list[str] = []
        async for python in self._uv.interpreters():
            tried.append(python.version)
            if not python.fits(requires):
                continue
            try:
                lock = UvLock(options.locked, frozenset())
                if not options.locked:
                    lock = await self._compiled(sdist.dependencies or (), python, options, package, ref)
                builders = UvLock(options.builders, frozenset())
                if not options.builders:
                    builders = await self._compiled(sdist.build_requires, python, options, package, ref)
            except PythonTooOld as error:
                failure = error
                continue
            return Resolved(
                ref=ref,
                version=ref.version,
                lock=options.locked or f"{package} \\\n    --hash={archive.digest}\n{lock.text}",
                packages=versions(lock.text) | {normalise_pypi(ref.name): ref.version},
                archive=archive,
                requires=requires,
                interpreter=python.path,
                constraints=options.constraints,
                build_lock=builders.text,
                undated=tuple(sorted(lock.undated & versions(lock.text).keys())),
            )
        raise failure or InstallFailed(
            f"{package} needs Python {requires}, and this machine has {', '.join(tried)}",
            f"install a Python {requires} (for example with pyenv or `uv python install`)",
        )

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Download the source again, verify and unpack it."""
        assert resolved.archive is not None  # noqa: S101 - what was resolved here has one
        return await self._unpacked(resolved.archive, into, _package(resolved))

    @asynccontextmanager
    async def wheel(
        self, resolved: Resolved, fetched: Fetched, python: Interpreter, options: Options
    ) -> AsyncIterator[Wheel]:
        """Lend the wheel that the fetched source is built to; it goes away again."""
        package = _package(resolved)
        async with self._installations.scratch() as folder:
            tree = folder / "tree"
            with home_errors(folder):
                await asyncio.to_thread(shutil.copytree, fetched.root or folder, tree)
            sdist = read_sdist(tree, package)
            file, digest = await build_wheel(
                self._bench, python, tree, resolved.build_lock, folder, version=resolved.version
            )
            manifest = await examined_wheel(self._bench, file, folder, package)
            check_same(manifest, package)
            lock = resolved.lock
            if sdist.dependencies is None and not options.locked:
                needed = without_extras(manifest["requires_dist"])
                lock += (await self._compiled(needed, python, options, package, resolved.ref)).text
            yield Wheel(file, digest, manifest, lock, (_script(package, sdist),))

    async def _compiled(
        self, wanted: Sequence[str], python: Interpreter, options: Options, package: str, ref: Ref
    ) -> UvLock:
        check_requirements(package, wanted)
        if not wanted:
            return UvLock("", frozenset())
        return await self._uv.compile(wanted, python, options, package, ref=ref)

    async def _unpacked(self, archive: Archive, into: Path, package: str) -> Fetched:
        limits, file, root = self._bench.config.install, into / archive.filename, into / "package"
        digest = await download(self._bench, archive, file, package)
        bounds = Limits(size=limits.max_unpacked_bytes, files=limits.max_files)
        unpack = unpack_zip if file.suffix == ".zip" else unpack_tarball
        members = await asyncio.to_thread(unpack, file, root, bounds, strip=1)
        manifest = read_sdist(root, package).manifest
        return Fetched(root=root, manifest=manifest, archive_sha=digest, archive=file, members=members)


def _package(resolved: Resolved) -> str:
    return f"{normalise_pypi(resolved.ref.name)}=={resolved.version}"


def _script(package: str, sdist: Sdist) -> Script:
    return Script(package=package.partition("==")[0], name="build", command=" ".join(sdist.build_requires), ran=True)
