"""npm packages: locked with hashes, fetched without scripts, built with ``npm ci``.

npm itself does the resolving and the downloading, so that the user's registries, scopes, certificates and tokens
apply. Scripts of packages never run outside the sandbox, and inside it only when someone allowed them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.errors import BadArgument, InstallFailed, UnknownPackage
from vsm_mcp.install import npm_lock
from vsm_mcp.install.archive import Limits, digest_of, unpack_tarball
from vsm_mcp.install.cool_down import cutoff, exempt, too_young, trusts
from vsm_mcp.install.executable import choose, npm_programs
from vsm_mcp.install.files import home_errors, make_readable
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved, bounds
from vsm_mcp.install.node_entry import node_entry
from vsm_mcp.install.npm_scripts import run_scripts
from vsm_mcp.install.npm_tool import LOCK, QUIET, SAFE, Npm, write_project
from vsm_mcp.install.tools import Node
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.moments import stamp
from vsm_mcp.model.ref import Ref, RefKind

_CONSTRAINT: Final = re.compile(r"((?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*)@(\S+)\Z")


class NpmInstaller:
    """Installs ``npm:NAME[@VERSION]``."""

    kind: Final = RefKind.NPM

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._installations = Installations(bench.config.home)
        self._npm = Npm(bench)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        node = await self._npm.node()
        packument = await self._bench.registries.npm_package(ref.name, fresh=True)
        spec = _spec(ref, packument, options)
        options = options.of_release([_published(packument, spec)])
        if spec in packument["versions"]:
            require_program(ref.name, packument["versions"][spec])
        lock = options.locked and npm_lock.with_address(options.locked, ref.name, packument["versions"].get(spec, {}))
        if not lock:
            lock = await self._locked(ref, spec, options)
        entry = npm_lock.entries(lock).get(f"node_modules/{ref.name}", {})
        version = str(entry.get("version", ""))
        npm_lock.check(f"{ref.name}@{version}", lock)
        url = str(entry.get("resolved", ""))
        digest = npm_lock.hex_digest(str(entry["integrity"]))
        scripted = [path for path, each in npm_lock.entries(lock).items() if each.get("hasInstallScript")]
        return Resolved(
            ref=ref.at(version),
            version=version,
            lock=lock,
            packages=npm_lock.versions(lock),
            archive=Archive(filename=url.rsplit("/", 1)[-1], url=url, digest=digest),
            requires=str((entry.get("engines") or {}).get("node", "")),
            interpreter=node.path,
            scripts=tuple(path.removeprefix("node_modules/") for path in scripted),
            constraints=options.constraints,
        )

    async def _locked(self, ref: Ref, spec: str, options: Options) -> str:
        async with self._installations.scratch() as folder:
            write_project(folder, _project(ref.name, spec, options.constraints))
            flags = ("install", *QUIET, *SAFE, "--package-lock-only", *cool_down(options, ref))
            await self._npm.run(folder, flags, f"{ref.name}@{spec}")
            return (folder / LOCK).read_text("utf-8")

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        package = f"{resolved.ref.name}@{resolved.version}"
        # not --prefer-offline: what npm keeps of the package may be from before this version was published
        flags = ("pack", *QUIET, "--ignore-scripts", "--no-dry-run")
        await self._npm.run(into, (*flags, f"--pack-destination={into}", package), package)
        archive = _packed(into)
        if archive is None or resolved.archive is None:
            raise InstallFailed(f"npm did not download {package}", "try again")
        digest = await asyncio.to_thread(digest_of, archive, resolved.archive.digest.split(":", 1)[0])
        if digest != resolved.archive.digest:
            raise InstallFailed(
                f"the archive of {package} does not match its hash", "the registry sent other bytes; do not trust it"
            )
        root = into / "package"
        limits = self._bench.config.install
        if archive.stat().st_size > limits.max_package_bytes:
            raise InstallFailed(
                f"{package} is larger than {limits.max_package_bytes >> 20} MB", "raise [install] max_package_bytes"
            )
        bounds = Limits(size=limits.max_unpacked_bytes, files=limits.max_files)
        members = await asyncio.to_thread(unpack_tarball, archive, root, bounds)
        manifest = _manifest(root, package)
        require_program(package, manifest)
        return Fetched(root=root, manifest=manifest, archive_sha=digest, archive=archive, members=members)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        package = f"{resolved.ref.name}@{resolved.version}"
        program = choose(resolved.ref.name, tuple(npm_programs(fetched.manifest)), options.executable)
        node = await self._npm.node()
        write_project(into, _project(resolved.ref.name, resolved.version, resolved.constraints), resolved.lock)
        done = await self._npm.install(into, resolved.lock, package)
        scripts = await asyncio.to_thread(npm_lock.scripts_of, into, resolved.lock)
        if options.allow_scripts and scripts:
            await options.clear_scripts(into)
            scripts = await run_scripts(self._bench, node, into, scripts)
        with home_errors(into):
            await asyncio.to_thread(make_readable, into)
        path = npm_programs(fetched.manifest).get(program, program)
        entry = _entry(resolved.ref.name, path, into, node)
        return Built(
            entry=entry,
            confined=done.confined,
            unconfined=done.unconfined,
            packages=resolved.packages,
            scripts=scripts,
            integrity=fetched.archive_sha,
        )


def _spec(ref: Ref, packument: dict[str, Any], options: Options) -> str:
    """Return the version to lock: the one asked for, or the newest (with a cool-down npm itself chooses)."""
    known = packument["versions"]
    latest = str(packument["dist-tags"].get("latest", ""))
    if not ref.version and (trusts(ref, options) or not options.min_release_age_days):
        return latest or "latest"
    if not ref.version:
        _old_enough(ref.name, known, packument, options)
        return "*"
    if ref.version not in known:
        newest = [latest, *(version for version in reversed(known) if version != latest)][:5]
        raise UnknownPackage(
            f"npm package {ref.name} has no version {ref.version}", f"the newest are {', '.join(filter(None, newest))}"
        )
    if not trusts(ref, options):
        _old_enough(f"{ref.name}@{ref.version}", [ref.version], packument, options)
    return ref.version


def _old_enough(package: str, versions: Iterable[str], packument: dict[str, Any], options: Options) -> None:
    """Raise :class:`TooYoung` when all of these versions came out within the cool-down; one without a date did not."""
    until = cutoff(options)
    published = [_published(packument, version) for version in versions]
    if until and published and min(published) > stamp(until):
        raise too_young(package, options, published)


def _published(packument: dict[str, Any], version: str) -> str:
    """Return when a version came out (ISO 8601), "" where nobody says."""
    dates = packument.get("time")
    return str(dates.get(version, "")) if isinstance(dates, dict) else ""


def require_program(package: str, manifest: dict[str, Any]) -> None:
    """Raise :class:`InstallFailed` when a package.json declares no program at all."""
    if not npm_programs(manifest):
        choose(package, ())


def _packed(folder: Path) -> Path | None:
    return next(folder.glob("*.tgz"), None)


def _project(name: str, spec: str, constraints: tuple[str, ...]) -> dict[str, Any]:
    project: dict[str, Any] = {
        "name": "installation",
        "version": "0.0.0",
        "private": True,
        "dependencies": {name: spec},
    }
    overrides = overrides_of(constraints)
    return project | ({"overrides": overrides} if overrides else {})


def overrides_of(constraints: tuple[str, ...]) -> dict[str, str]:
    """Return constraints as npm's overrides. Raises :class:`BadArgument`."""
    return dict(_constraint(text) for text in bounds(constraints))


def _constraint(text: str) -> tuple[str, str]:
    found = _CONSTRAINT.match(text)
    if found is None:
        raise BadArgument(f"{text[:80]!r} is not a constraint for npm", "write PACKAGE@RANGE, e.g. zod@3")
    return found.group(1), found.group(2)


def cool_down(options: Options, ref: Ref | None = None) -> tuple[str, ...]:
    """Return what keeps npm from versions that are too young, where they need not be those of ``ref``."""
    before = cutoff(options)
    if before is None:
        return ()
    free = (f"--min-release-age-exclude={name}" for name in exempt(RefKind.NPM, options, ref))
    return (f"--before={before.isoformat()}", *free)


def _manifest(root: Path, package: str) -> dict[str, Any]:
    try:
        manifest = msgspec.json.decode((root / "package.json").read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise InstallFailed(f"{package} has no readable package.json", "choose another version") from error
    if not isinstance(manifest, dict):
        raise InstallFailed(f"{package} has no readable package.json", "choose another version")
    return manifest


def _entry(name: str, path: str, into: Path, node: Node) -> Entry:
    return node_entry(name, into.resolve() / "node_modules" / name, path, into, node)
