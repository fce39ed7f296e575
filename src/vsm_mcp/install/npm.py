"""npm packages: locked with hashes, fetched without scripts, built with ``npm ci``.

npm itself does the resolving and the downloading, so that the user's registries, scopes, certificates and tokens
apply. Scripts of packages never run outside the sandbox, and inside it only when someone allowed them.
"""

from __future__ import annotations

import asyncio
import datetime
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.errors import BadArgument, InstallFailed, UnknownPackage
from vsm_mcp.install import npm_lock
from vsm_mcp.install.archive import Limits, digest_of, unpack_tarball
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.executable import choose, interpreter_of, npm_programs
from vsm_mcp.install.files import home_errors, make_readable
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.npm_errors import LockRefused, explain, unpacking_failed
from vsm_mcp.install.npm_scripts import run_scripts
from vsm_mcp.install.tools import Node, find_node, run_tool
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.sandbox.confinement import Completed

_QUIET: Final = ("--json", "--loglevel=warn", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier")
_SAFE: Final = (
    "--ignore-scripts",
    "--omit=dev",
    "--no-global",
    "--no-dry-run",
    "--package-lock",
    # the lock says where each file came from, whatever the user's npmrc prefers
    "--no-omit-lockfile-registry-resolved",
    "--allow-git=none",
    "--allow-remote=none",
    "--allow-file=none",
    "--allow-directory=none",
)
_PATIENCE: Final = {"fetch_retries": "1", "fetch_retry_mintimeout": "500", "fetch_retry_maxtimeout": "3000"}
_CONSTRAINT: Final = re.compile(r"((?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*)@(\S+)\Z")


class NpmInstaller:
    """Installs ``npm:NAME[@VERSION]``."""

    kind: Final = RefKind.NPM

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._installations = Installations(bench.config.home)
        self._node: Node | None = None

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        node = await self._found_node()
        packument = await self._bench.registries.npm_package(ref.name, fresh=True)
        spec = _spec(ref, packument, options)
        if spec in packument["versions"]:
            require_program(ref.name, packument["versions"][spec])
        lock = options.locked and npm_lock.with_address(options.locked, ref.name, packument["versions"].get(spec, {}))
        if not lock:
            lock = await self._locked(node, ref.name, spec, options)
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

    async def _locked(self, node: Node, name: str, spec: str, options: Options) -> str:
        async with self._installations.scratch() as folder:
            self._write_project(folder, _project(name, spec, options.constraints))
            flags = ("install", *_QUIET, *_SAFE, "--package-lock-only", *_cool_down(options))
            await self._npm(node, folder, flags, f"{name}@{spec}")
            return (folder / "package-lock.json").read_text("utf-8")

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        package = f"{resolved.ref.name}@{resolved.version}"
        flags = ("pack", *_QUIET, "--ignore-scripts", "--no-dry-run", "--prefer-offline")
        await self._npm(await self._found_node(), into, (*flags, f"--pack-destination={into}", package), package)
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
        node = await self._found_node()
        self._write_project(into, _project(resolved.ref.name, resolved.version, resolved.constraints))
        with home_errors(into):
            (into / "package-lock.json").write_text(resolved.lock, "utf-8")
        done = await self._install(node, into, resolved.lock, package)
        scripts = await asyncio.to_thread(npm_lock.scripts_of, into, resolved.lock)
        if options.allow_scripts and scripts:
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

    async def _install(self, node: Node, into: Path, lock: str, package: str) -> Completed:
        """Install what the lock says. Raises :class:`InstallFailed` when npm would take anything else."""
        try:
            return await self._npm(node, into, ("ci", *_QUIET, *_SAFE, "--prefer-offline"), package)
        except LockRefused:
            # `npm ci` refuses its own lock where an optional dependency is not in the registry; `npm install` skips it
            done = await self._npm(node, into, ("install", *_QUIET, *_SAFE, "--prefer-offline"), package)
            if npm_lock.strangers(lock, (into / "package-lock.json").read_text("utf-8")):
                raise
            return done

    async def _found_node(self) -> Node:
        if self._node is None:
            self._node = await find_node(self._bench)
        return self._node

    async def _npm(self, node: Node, cwd: Path, args: tuple[str, ...], package: str) -> Completed:
        limits = self._bench.config.install
        timeout = limits.resolve_timeout_seconds if "--package-lock-only" in args else limits.build_timeout_seconds
        given = {key.lower() for key in self._bench.registries.addresses.environ}
        extra = {f"npm_config_{key}": value for key, value in _PATIENCE.items() if f"npm_config_{key}" not in given}
        work = Work(tool="npm", folder=cwd, reads=node.roots, urls=npm_lock.addresses(cwd / "package-lock.json"))
        done = await run_tool(self._bench, (*node.npm, *args), str(cwd), timeout, extra, work)
        if not done.ok or unpacking_failed(done):
            raise explain(package, done, self._bench.config.home)
        return done

    def _write_project(self, folder: Path, project: dict[str, Any]) -> None:
        with home_errors(folder):
            (folder / "package.json").write_bytes(msgspec.json.encode(project))


def _spec(ref: Ref, packument: dict[str, Any], options: Options) -> str:
    """Return the version to lock: the one asked for, or the newest (with a cool-down npm itself chooses)."""
    known = packument["versions"]
    latest = str(packument["dist-tags"].get("latest", ""))
    if not ref.version:
        return "*" if options.min_release_age_days else latest or "latest"
    if ref.version not in known:
        newest = [latest, *(version for version in reversed(known) if version != latest)][:5]
        raise UnknownPackage(
            f"npm package {ref.name} has no version {ref.version}", f"the newest are {', '.join(filter(None, newest))}"
        )
    return ref.version


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
    overrides = dict(_constraint(text) for text in constraints)
    return project | ({"overrides": overrides} if overrides else {})


def _constraint(text: str) -> tuple[str, str]:
    found = _CONSTRAINT.match(text)
    if found is None:
        raise BadArgument(f"{text[:80]!r} is not a constraint for npm", "write PACKAGE@RANGE, e.g. zod@3")
    return found.group(1), found.group(2)


def _cool_down(options: Options) -> tuple[str, ...]:
    if not options.min_release_age_days:
        return ()
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=options.min_release_age_days)
    return (f"--before={before.isoformat(timespec='seconds')}",)


def _manifest(root: Path, package: str) -> dict[str, Any]:
    try:
        manifest = msgspec.json.decode((root / "package.json").read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise InstallFailed(f"{package} has no readable package.json", "choose another version") from error
    if not isinstance(manifest, dict):
        raise InstallFailed(f"{package} has no readable package.json", "choose another version")
    return manifest


def _entry(name: str, path: str, into: Path, node: Node) -> Entry:
    """Return how the program at ``path`` of a package is started.

    What the package says is known from before its scripts ran: they may have put links in the place of its files.
    """
    root = into.resolve() / "node_modules" / name
    program = (root / path).resolve()
    if not program.is_relative_to(root) or not program.is_file():
        raise InstallFailed(f"{name} declares the program {path}, but it is not in the package", _BROKEN)
    words = interpreter_of(program)
    runs = words[0] if words else "node"
    roots = (str(into), *node.roots)
    if runs == "native":
        return Entry(argv=(str(program),), runtime="native", roots=roots)
    if runs in {"sh", "bash"}:
        return Entry(argv=(f"/bin/{runs}", str(program)), runtime="node", roots=roots)
    if runs not in {"node", "nodejs"}:
        raise InstallFailed(f"{name} runs with {runs}, and only node is supported", "choose another package")
    return Entry(argv=(node.path, *words[1:], str(program)), runtime="node", roots=roots)


_BROKEN: Final = "this version of the package is broken; choose another version"
