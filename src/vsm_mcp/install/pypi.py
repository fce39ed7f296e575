"""PyPI projects: locked with hashes by uv, fetched as wheels, installed into a virtual environment of their own.

Source distributions are refused: building one runs its code. No Python of the installation is started outside the
sandbox, not even to compile: a ``.pth`` file in a package would run.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from vsm_mcp.errors import BadArgument, InstallFailed, UnknownPackage
from vsm_mcp.install.archive import Limits, unpack_zip
from vsm_mcp.install.cool_down import cutoff, too_young, trusts
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.executable import choose, interpreter_of
from vsm_mcp.install.files import home_errors, make_readable, written
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.interpreter import Interpreter
from vsm_mcp.install.pypi_errors import PythonTooOld
from vsm_mcp.install.python_lock import hashes, pinned_to_file, versions
from vsm_mcp.install.uv_tool import Locked, Uv
from vsm_mcp.install.wheel import best_wheel, newest, read_manifest, same_version
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi


class PypiInstaller:
    """Installs ``pypi:NAME[==VERSION]``."""

    kind: Final = RefKind.PYPI

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._uv = Uv(bench)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        for text in options.constraints:
            _checked(text)
        project = await self._bench.registries.pypi_project(ref.name, fresh=True)
        name = normalise_pypi(ref.name)
        version = _version(ref, project["releases"], options)
        files = project["releases"][version]
        failure: PythonTooOld | None = None
        async for python, wheel in self._fitting(f"{name}=={version}", files):
            try:
                urls = tuple(str(file.get("url", "")) for file in files)
                pinned = f"{name}=={version}"
                lock = Locked(options.locked, frozenset())
                if not options.locked:
                    lock = await self._uv.compile((pinned,), python, options, pinned, urls, ref)
            except PythonTooOld as error:
                failure = error
                continue
            resolved = _resolved(ref.at(version), lock.text, python, wheel, options)
            return msgspec.structs.replace(resolved, undated=tuple(sorted(lock.undated & resolved.packages.keys())))
        raise failure or AssertionError("no interpreter was tried")

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        package = f"{resolved.ref.name}=={resolved.version}"
        if resolved.archive is None:
            raise InstallFailed(f"{package} has no file to fetch", "resolve it again")
        archive = into / resolved.archive.filename
        digest = await self._download(resolved.archive, archive, package)
        root = into / "package"
        limits = self._bench.config.install
        bounds = Limits(size=limits.max_unpacked_bytes, files=limits.max_files)
        members = await asyncio.to_thread(unpack_zip, archive, root, bounds)
        manifest = read_manifest(root, package)
        if not _programs(manifest):
            choose(package, ())
        return Fetched(root=root, manifest=manifest, archive_sha=digest, archive=archive, members=members)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        package = f"{normalise_pypi(resolved.ref.name)}=={resolved.version}"
        if fetched.archive is None:
            raise InstallFailed(f"{package} was not fetched", "fetch it again")
        program = choose(resolved.ref.name, _programs(fetched.manifest), options.executable)
        python = await self._uv.interpreter(resolved.interpreter)
        venv = into / "venv"
        with home_errors(into):
            (into / "requirements.lock").write_text(resolved.lock, "utf-8")
            wanted = into / "requirements.txt"
            wanted.write_text(pinned_to_file(resolved.lock, package, fetched.archive, fetched.archive_sha), "utf-8")
        reads, urls = (str(fetched.archive), *python.roots), (resolved.archive.url,) if resolved.archive else ()
        work = Work(tool="uv", folder=into, reads=reads, urls=urls)
        done = await self._uv.install(venv, python, wanted, package, work)
        await self._uv.compile_bytecode(python, venv / "lib", work)
        with home_errors(into):
            wanted.unlink()
            await asyncio.to_thread(make_readable, into)
        entry = _entry(resolved.ref.name, program, fetched.manifest, into, python)
        return Built(
            entry=entry,
            confined=done.confined,
            unconfined=done.unconfined,
            packages=resolved.packages,
            integrity=fetched.archive_sha,
        )

    async def _fitting(
        self, package: str, files: list[dict[str, Any]]
    ) -> AsyncIterator[tuple[Interpreter, dict[str, Any]]]:
        """Yield the interpreters that can run a release, ours first, each with the wheel it takes.

        Others are looked for only when the caller goes on. Raises :class:`InstallFailed` when there is none.
        """
        wheel: dict[str, Any] | None = None
        tried: list[Interpreter] = []
        async for python in self._uv.interpreters():
            tried.append(python)
            suitable = _suitable(files, python)
            if suitable is not None:
                wheel = suitable
                yield python, suitable
        if wheel is None:
            raise _no_interpreter(package, files, tuple(tried))

    async def _download(self, archive: Archive, path: Path, package: str) -> str:
        limit = self._bench.config.install.max_package_bytes
        algorithm = archive.digest.split(":", 1)[0]
        digest, size = hashlib.new(algorithm), 0
        async with self._bench.registries.open(archive.url) as pieces:
            with written(path) as write:
                async for piece in pieces:
                    size += len(piece)
                    if size > limit:
                        raise _too_large(package, limit)
                    digest.update(piece)
                    write(piece)
        found = f"{algorithm}:{digest.hexdigest()}"
        if found != archive.digest:
            raise InstallFailed(
                f"the archive of {package} does not match its hash", "the index sent other bytes; do not trust it"
            )
        return found


def _too_large(package: str, limit: int) -> InstallFailed:
    return InstallFailed(f"{package} is larger than {limit >> 20} MB", "raise [install] max_package_bytes")


def _checked(text: str) -> None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise BadArgument(f"{text[:80]!r} is not a constraint for Python", "write NAME<VERSION, e.g. mcp<2") from error
    if requirement.url or requirement.extras or "\n" in text:
        raise BadArgument(f"{text[:80]!r} is not a constraint for Python", "write NAME<VERSION, e.g. mcp<2")


def _version(ref: Ref, releases: dict[str, list[dict[str, Any]]], options: Options) -> str:
    candidates = newest(releases)
    until = None if trusts(ref, options) else cutoff(options)
    latest = until.strftime("%Y-%m-%dT%H:%M:%SZ") if until else ""
    if ref.version:
        version = same_version(releases, ref.version)
        if version and latest and _published(releases[version]) > latest:
            raise too_young(f"{ref.name}=={version}", options, [_published(releases[version])])
        if version:
            return version
        known = ", ".join(candidates[:5]) or "none"
        raise UnknownPackage(f"PyPI project {ref.name} has no version {ref.version}", f"the newest are {known}")
    for version in candidates:
        if not latest or _published(releases[version]) <= latest:
            return version
    if candidates:
        raise too_young(f"{ref.name}=={candidates[0]}", options, map(_published, releases.values()))
    raise InstallFailed(
        f"PyPI project {ref.name} is published as source only",
        "building it would run its code at install time, which is refused; choose another package",
    )


def _published(files: list[dict[str, Any]]) -> str:
    """Return when the first file of a release came out; a release without a date counts as old."""
    return min((str(file.get("upload_time_iso_8601") or "") for file in files), default="")


def _suitable(files: list[dict[str, Any]], python: Interpreter) -> dict[str, Any] | None:
    usable = [file for file in files if python.fits(str(file.get("requires_python") or ""))]
    return best_wheel(usable, python.tags())


def _no_interpreter(package: str, files: list[dict[str, Any]], tried: tuple[Interpreter, ...]) -> InstallFailed:
    requires = next((str(file["requires_python"]) for file in files if file.get("requires_python")), "")
    have = ", ".join(sorted({python.version for python in tried}, key=lambda text: [int(n) for n in text.split(".")]))
    if requires and not any(python.fits(requires) for python in tried):
        return InstallFailed(
            f"{package} needs Python {requires}, and this machine has {have}",
            f"install a Python {requires} (for example with pyenv or `uv python install`), or add an older version",
        )
    if not any(file.get("packagetype") == "bdist_wheel" for file in files):
        return InstallFailed(
            f"{package} is published as source only",
            "building it would run its code at install time, which is refused; choose another version or package",
        )
    return InstallFailed(
        f"{package} has no wheel for this platform and Python {have}", "choose another version or package"
    )


def _resolved(ref: Ref, lock: str, python: Interpreter, wheel: dict[str, Any], options: Options) -> Resolved:
    name = normalise_pypi(ref.name)
    locked = hashes(lock).get(name, frozenset())
    digest = f"sha256:{(wheel.get('digests') or {}).get('sha256', '')}"
    if digest not in locked:
        raise InstallFailed(
            f"the index gives different hashes for {wheel.get('filename')}",
            "try again later, and do not trust this copy",
        )
    archive = Archive(filename=str(wheel["filename"]), url=str(wheel["url"]), digest=digest, size=wheel.get("size"))
    return Resolved(
        ref=ref,
        version=ref.version,
        lock=lock,
        packages=versions(lock),
        archive=archive,
        requires=str(wheel.get("requires_python") or ""),
        interpreter=python.path,
        constraints=options.constraints,
    )


def _programs(manifest: dict[str, Any]) -> tuple[str, ...]:
    return (*manifest["console_scripts"], *manifest["scripts"])


def _entry(name: str, chosen: str, manifest: dict[str, Any], into: Path, python: Interpreter) -> Entry:
    programs = into / "venv" / "bin"
    program = programs / chosen
    if not program.is_file():
        raise InstallFailed(f"{name} declares the program {chosen}, but it was not installed", "choose another version")
    roots = (str(into), *python.roots)
    words = interpreter_of(program)
    if words == ("native",):
        return Entry(argv=(str(program),), runtime="native", roots=roots)
    if chosen in manifest["console_scripts"] or (words and words[0].startswith("python")):
        return Entry(argv=(str(programs / "python"), str(program)), runtime="python", roots=roots)
    if words and words[0] in {"sh", "bash"}:
        return Entry(argv=(f"/bin/{words[0]}", str(program)), runtime="python", roots=roots)
    raise InstallFailed(f"{name} has a program that this machine cannot run: {chosen}", "choose another package")
