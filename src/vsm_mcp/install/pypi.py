"""PyPI projects: locked with hashes by uv, fetched as wheels, installed into a virtual environment of their own.

Source distributions are taken where builds are allowed (:mod:`vsm_mcp.install.sdist`): building one runs its code, in
the sandbox. No Python of the installation is started outside of that, not even to compile: a ``.pth`` file in a package
would run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from vsm_mcp.errors import BadArgument, InstallFailed, UnknownPackage
from vsm_mcp.install.archive import Limits, unpack_zip
from vsm_mcp.install.cool_down import cutoff, too_young, trusts
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.executable import choose, interpreter_of
from vsm_mcp.install.files import home_errors, make_readable
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved, bounds, extras
from vsm_mcp.install.interpreter import Interpreter
from vsm_mcp.install.pypi_errors import PythonTooOld
from vsm_mcp.install.pypi_file import download
from vsm_mcp.install.python_lock import hashes, pinned_to_file, versions
from vsm_mcp.install.sdist.building import Sources, Wheel
from vsm_mcp.install.sdist.reading import best_sdist
from vsm_mcp.install.uv_tool import Uv, UvLock
from vsm_mcp.install.wheel import best_wheel, newest, read_manifest, same_version
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.moments import stamp
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi

_OTHER: Final = "choose another version or package"


class NoWheel(InstallFailed):
    """A release has no wheel that this machine could take."""


class PypiInstaller:
    """Installs ``pypi:NAME[==VERSION]``."""

    kind: Final = RefKind.PYPI

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._uv = Uv(bench)
        self._sources = Sources(bench, self._uv)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        for text in bounds(options.constraints):
            _checked(text)
        project = await self._bench.registries.pypi_project(ref.name, fresh=True)
        version = _version(ref, project["releases"], options)
        files = project["releases"][version]
        options = options.of_release(str(file.get("upload_time_iso_8601") or "") for file in files)
        source = best_sdist(files)
        try:
            return await self._of_wheel(ref.at(version), files, options)
        except NoWheel as error:
            if source is None:
                raise
            if not options.allow_scripts:
                raise _not_built(error.message) from error
            return await self._sources.resolve(ref.at(version), source, options)

    async def _of_wheel(self, ref: Ref, files: list[dict[str, Any]], options: Options) -> Resolved:
        """Take the wheel that suits a Python of this machine. Raises :class:`NoWheel`, :class:`InstallFailed`."""
        pinned = f"{normalise_pypi(ref.name)}=={ref.version}"
        failure: PythonTooOld | None = None
        async for python, wheel in self._fitting(pinned, files):
            try:
                urls = tuple(str(file.get("url", "")) for file in files)
                lock = UvLock(options.locked, frozenset())
                if not options.locked:
                    wanted = f"{normalise_pypi(ref.name)}{extras(options.constraints)}=={ref.version}"
                    lock = await self._uv.compile((wanted,), python, options, pinned, urls, ref)
            except PythonTooOld as error:
                failure = error
                continue
            resolved = _resolved(ref, lock.text, python, wheel, options)
            newer = ", ".join(sorted(lock.newer & resolved.packages.keys()))
            note = f"newer than its release, for they were published as source alone then: {newer}"
            return msgspec.structs.replace(
                resolved,
                undated=tuple(sorted(lock.undated & resolved.packages.keys())),
                notes=(note,) if newer else (),
            )
        raise failure or AssertionError("no interpreter was tried")

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        package = f"{resolved.ref.name}=={resolved.version}"
        if resolved.archive is None:
            raise InstallFailed(f"{package} has no file to fetch", "resolve it again")
        if not resolved.archive.filename.endswith(".whl"):
            return await self._sources.fetch(resolved, into)
        archive = into / resolved.archive.filename
        digest = await download(self._bench, resolved.archive, archive, package)
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
        python = await self._uv.interpreter(resolved.interpreter)
        async with self._wheel(resolved, fetched, python, options) as wheel:
            program = choose(resolved.ref.name, _programs(wheel.manifest), options.executable)
            with home_errors(into):
                (into / "requirements.lock").write_text(wheel.lock, "utf-8")
                wanted = into / "requirements.txt"
                built = (wheel.file, wheel.digest)
                text = pinned_to_file(wheel.lock, package, fetched.archive, fetched.archive_sha, built)
                wanted.write_text(text, "utf-8")
            urls = (resolved.archive.url,) if resolved.archive else ()
            work = Work(tool="uv", folder=into, reads=(str(wheel.file), *python.roots), urls=urls)
            done = await self._uv.install(into / "venv", python, wanted, package, work)
        await self._uv.compile_bytecode(python, into / "venv" / "lib", work)
        with home_errors(into):
            wanted.unlink()
            await asyncio.to_thread(make_readable, into)
        return Built(
            entry=_entry(resolved.ref.name, program, wheel.manifest, into, python),
            confined=done.confined,
            unconfined=done.unconfined,
            packages=versions(wheel.lock),
            scripts=wheel.scripts,
            integrity=fetched.archive_sha,
        )

    def _wheel(
        self, resolved: Resolved, fetched: Fetched, python: Interpreter, options: Options
    ) -> AbstractAsyncContextManager[Wheel]:
        """Lend the wheel that was fetched, or that is built of what was."""
        assert fetched.archive is not None  # noqa: S101 - the caller has looked
        if fetched.archive.suffix != ".whl":
            return self._sources.wheel(resolved, fetched, python, options)
        return nullcontext(Wheel(fetched.archive, fetched.archive_sha, fetched.manifest, resolved.lock))

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


def _checked(text: str) -> None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise BadArgument(f"{text[:80]!r} is not a constraint for Python", "write NAME<VERSION, e.g. mcp<2") from error
    if requirement.url or requirement.extras or "\n" in text:
        raise BadArgument(f"{text[:80]!r} is not a constraint for Python", "write NAME<VERSION, e.g. mcp<2")


def _version(ref: Ref, releases: dict[str, list[dict[str, Any]]], options: Options) -> str:
    candidates = newest(releases, sources=options.allow_scripts)
    until = None if trusts(ref, options) else cutoff(options)
    latest = stamp(until) if until else ""
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
    raise _not_built(f"PyPI project {ref.name} is published as source only")


def _not_built(what: str) -> InstallFailed:
    return InstallFailed(
        what, "--allow-scripts lets it be built, inside the sandbox: that runs its code; or choose another package"
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
        return NoWheel(f"{package} is published as source only", _OTHER)
    return NoWheel(f"{package} has no wheel for this platform and Python {have}", _OTHER)


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
    """Return the programs of a distribution; where it declares none, the packages that ``python -m`` runs."""
    return _declared(manifest) or tuple(manifest["modules"])


def _declared(manifest: dict[str, Any]) -> tuple[str, ...]:
    return (*manifest["console_scripts"], *manifest["scripts"])


def _entry(name: str, chosen: str, manifest: dict[str, Any], into: Path, python: Interpreter) -> Entry:
    programs = into / "venv" / "bin"
    program = programs / chosen
    roots = (str(into), *python.roots)
    if not _declared(manifest):
        return Entry(argv=(str(programs / "python"), "-m", chosen), runtime="python", roots=roots)
    if not program.is_file():
        raise InstallFailed(f"{name} declares the program {chosen}, but it was not installed", "choose another version")
    words = interpreter_of(program)
    if words == ("native",):
        return Entry(argv=(str(program),), runtime="native", roots=roots)
    if chosen in manifest["console_scripts"] or (words and words[0].startswith("python")):
        return Entry(argv=(str(programs / "python"), str(program)), runtime="python", roots=roots)
    if words and words[0] in {"sh", "bash"}:
        return Entry(argv=(f"/bin/{words[0]}", str(program)), runtime="python", roots=roots)
    raise InstallFailed(f"{name} has a program that this machine cannot run: {chosen}", "choose another package")
