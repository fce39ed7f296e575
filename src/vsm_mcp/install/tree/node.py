"""A project of npm's from its source: locked as its lock says, installed without scripts, built if that is allowed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install import npm_lock
from vsm_mcp.install.executable import choose, npm_programs
from vsm_mcp.install.files import home_errors, make_readable
from vsm_mcp.install.installer import Bench, Built, Fetched, Options, Resolved, Script
from vsm_mcp.install.node_entry import node_entry
from vsm_mcp.install.npm import cool_down, overrides_of
from vsm_mcp.install.npm_scripts import run_project_script, run_scripts
from vsm_mcp.install.npm_tool import CAREFUL, LOCK, QUIET, SAFE, Npm, write_project
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.tree import foreign
from vsm_mcp.install.tree.locked import LockedTree
from vsm_mcp.install.tree.project import package_json, text_of

_BUILDS: Final = ("preinstall", "install", "postinstall", "build")


class NodeTree:
    """Locks and builds the tree of one ``package.json``."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._npm = Npm(bench)
        self._installations = Installations(bench.config.home)

    async def lock(self, root: Path, name: str, options: Options) -> LockedTree:
        """Return everything that is to be installed beside the tree.

        What was locked before counts, else the tree's own lock file where it has one, unless constraints were given.
        Raises :class:`InstallFailed` and what npm's failures amount to.
        """
        manifest, node = package_json(root, name), await self._npm.node()
        _check_program(root, name, manifest, options)
        lock, alone, notes = text_of(root, LOCK) or text_of(root, "npm-shrinkwrap.json"), manifest, tuple[str, ...]()
        if options.locked:
            lock = options.locked
        elif not _usable(lock) or options.constraints or "workspaces" in manifest:
            alone = foreign.alone(root, name, manifest)
            foreign.check_dependencies(name, alone, dev=options.allow_scripts)
            notes = foreign.said(root, manifest, lock)
            kept = "" if options.constraints or alone is not manifest else lock
            lock = await self._locked(alone, kept, name, options)
        npm_lock.check(name, lock, dev=options.allow_scripts)
        scripted = [path for path, each in npm_lock.entries(lock).items() if each.get("hasInstallScript")]
        engines = manifest.get("engines")
        return LockedTree(
            lock=lock,
            packages=npm_lock.versions(lock, dev=False),
            requires=str(engines.get("node", "")) if isinstance(engines, dict) else "",
            interpreter=node.path,
            scripts=tuple(path.removeprefix("node_modules/") for path in scripted),
            constraints=options.constraints,
            notes=notes,
        )

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Install the fetched tree into ``into``."""
        assert fetched.root is not None  # noqa: S101 - trees are always unpacked
        name, node, root = _name(fetched.manifest, fetched.root), await self._npm.node(), into / "package"
        with home_errors(into):
            await asyncio.to_thread(shutil.copytree, fetched.root, root)
        write_project(root, _installable(fetched.manifest, resolved.constraints), resolved.lock)
        with home_errors(root):
            (root / "npm-shrinkwrap.json").unlink(missing_ok=True)
        builds = [each for each in _scripts_of(fetched.manifest) if options.allow_scripts]
        flags = CAREFUL if builds else SAFE
        done = await self._npm.run(root, ("ci", *QUIET, *flags, "--prefer-offline"), name)
        scripts = await asyncio.to_thread(npm_lock.scripts_of, root, resolved.lock)
        if options.allow_scripts and (scripts or builds):
            await options.clear_scripts(into)
        if options.allow_scripts and scripts:
            scripts = await run_scripts(self._bench, node, root, scripts)
        for script in builds:
            await run_project_script(self._bench, node, root, script)
        if builds:
            await self._npm.run(root, ("prune", *QUIET, *SAFE, "--offline"), name)
        with home_errors(into):
            (root / LOCK).unlink(missing_ok=True)
            (into / LOCK).write_text(resolved.lock, "utf-8")  # where every lock lies, as it was installed
            await asyncio.to_thread(make_readable, into)
        own = tuple(
            Script(package=name, name=each, command=_script(fetched.manifest, each)[:500], ran=True) for each in builds
        )
        return Built(
            entry=node_entry(name, root.resolve(), _program(name, fetched.manifest, options), into, node),
            confined=done.confined,
            unconfined=done.unconfined,
            packages=resolved.packages,
            scripts=(*own, *scripts),
            integrity=fetched.archive_sha,
        )

    async def _locked(self, manifest: dict[str, Any], lock: str, name: str, options: Options) -> str:
        async with self._installations.scratch() as folder:
            write_project(folder, _installable(manifest, options.constraints), lock)
            flags = ("install", *QUIET, *CAREFUL, "--package-lock-only", *cool_down(options))
            await self._npm.run(folder, flags, name)
            return (folder / LOCK).read_text("utf-8")


def _usable(lock: str) -> bool:
    """Whether a lock file has the form that is read here (npm 7 and newer); older ones are for npm to turn into it."""
    try:
        found = msgspec.json.decode(lock or "{}")
    except msgspec.DecodeError as error:
        raise InstallFailed(f"its {LOCK} cannot be read", "mend it, or leave it out") from error
    return isinstance(found, dict) and isinstance(found.get("packages"), dict)


def _installable(manifest: dict[str, Any], constraints: tuple[str, ...]) -> dict[str, Any]:
    """Return package.json as npm gets it: without workspaces, with the constraints, which count as overrides."""
    overrides = overrides_of(constraints)
    manifest = {key: value for key, value in manifest.items() if key != "workspaces"}
    own = manifest.get("overrides")
    return manifest | ({"overrides": {**(own if isinstance(own, dict) else {}), **overrides}} if overrides else {})


def _name(manifest: dict[str, Any], root: Path) -> str:
    return str(manifest.get("name") or root.name)


def _program(name: str, manifest: dict[str, Any], options: Options) -> str:
    """Return the path of the program: of ``bin``, else ``main``, which is ``index.js`` where nobody says."""
    programs = npm_programs(manifest)
    if programs:
        return programs[choose(name, tuple(programs), options.executable)]
    main = manifest.get("main")
    return main if isinstance(main, str) and main else "index.js"


def _check_program(root: Path, name: str, manifest: dict[str, Any], options: Options) -> None:
    """Refuse at once what could not be started: a program that is not there and that nothing may or can build."""
    path = _program(name, manifest, options)
    if options.allow_scripts:
        foreign.check_scripts(name, {each: _script(manifest, each) for each in _scripts_of(manifest)})
    if (root / path).is_file():
        return
    if not npm_programs(manifest) and "main" not in manifest and (refusal := foreign.several(root, name, manifest)):
        raise refusal
    build = next((each for each in ("build", "prepare") if _script(manifest, each)), "")
    if not build:
        raise InstallFailed(
            f"{name} is no MCP server: its program {path} is not there, and nothing says how to build it",
            "its package.json must name the program (bin or main)",
        )
    if not options.allow_scripts:
        raise InstallFailed(
            f"the program of {name}, {path}, is not there: its script {build!r} makes it, and scripts may not run",
            "--allow-scripts lets it be built, inside the sandbox; or build it yourself, then add it again",
        )


def _script(manifest: dict[str, Any], name: str) -> str:
    scripts = manifest.get("scripts")
    found = scripts.get(name) if isinstance(scripts, dict) else None
    return found if isinstance(found, str) else ""


def _scripts_of(manifest: dict[str, Any]) -> list[str]:
    """Return the scripts of the tree itself that make it ready, in their order: ``prepare`` where nothing builds."""
    found = [name for name in _BUILDS if _script(manifest, name)]
    return found if "build" in found or not _script(manifest, "prepare") else [*found, "prepare"]
