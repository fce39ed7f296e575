"""A Python project from its source: locked, its dependencies installed as wheels, itself placed there or built."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.executable import choose
from vsm_mcp.install.files import home_errors, make_readable
from vsm_mcp.install.installer import Bench, Built, Fetched, Options, Resolved, Script
from vsm_mcp.install.interpreter import Interpreter
from vsm_mcp.install.pypi_errors import PythonTooOld
from vsm_mcp.install.python_lock import versions
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.tree.locked import LockedTree
from vsm_mcp.install.tree.placing import place, root_of
from vsm_mcp.install.tree.project import text_of
from vsm_mcp.install.tree.python_project import PythonProject, check_requirements, read_python_project
from vsm_mcp.install.tree.wheel_build import build_wheel, examined_wheel
from vsm_mcp.install.uv_tool import QUIET, Uv
from vsm_mcp.model.launch import Entry

_STARTED: Final = ("server.py", "main.py", "app.py")
_LOCK: Final = "uv.lock"


class PythonTree:
    """Locks and builds the tree of one Python project."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._uv = Uv(bench)
        self._installations = Installations(bench.config.home)

    async def lock(self, root: Path, name: str, options: Options) -> LockedTree:
        """Return everything that is to be installed beside the tree.

        What was locked before counts, else its ``uv.lock`` where it has one, unless constraints were given. Raises
        :class:`InstallFailed` and what uv's failures amount to.
        """
        project = read_python_project(root, name)
        _check(root, project, options)
        failure: InstallFailed | None = None
        tried: list[str] = []
        async for python in self._uv.interpreters():
            tried.append(python.version)
            if not python.fits(project.requires_python):
                continue
            try:
                lock = await self._locked(root, project, python, options)
            except PythonTooOld as error:
                failure = error
                continue
            builds = options.allow_scripts and project.build_requires
            return LockedTree(
                lock=lock,
                packages=versions(lock),
                requires=project.requires_python,
                interpreter=python.path,
                constraints=options.constraints,
                build_lock=await self._builders(project, python, options, name) if builds else "",
            )
        raise failure or InstallFailed(
            f"{name} needs Python {project.requires_python}, and this machine has {', '.join(tried)}",
            f"install a Python {project.requires_python} (for example with pyenv or `uv python install`)",
        )

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Install the fetched tree into ``into``; its build backend runs only where that is allowed."""
        assert fetched.root is not None  # noqa: S101 - trees are always unpacked
        tree, venv = into / "package", into / "venv"
        with home_errors(into):
            await asyncio.to_thread(shutil.copytree, fetched.root, tree)
        project = read_python_project(tree, str(fetched.manifest.get("name") or "project"))
        python = await self._uv.interpreter(resolved.interpreter)
        async with self._installations.scratch() as folder:
            lock, wheel, manifest = resolved.lock, "", project.manifest
            if resolved.build_lock:
                file, digest = await build_wheel(self._bench, python, tree, resolved.build_lock, folder)
                manifest = await examined_wheel(self._bench, file, folder, project.name)
                if project.dependencies is None and not options.locked:
                    lock = await self._compiled(manifest["requires_dist"], python, options, project.name)
                wheel = f"{project.name} @ {file.as_uri()} --hash={digest}\n"
            with home_errors(into):
                wanted = folder / "requirements.txt"
                wanted.write_text(wheel + lock, "utf-8")
                (into / "requirements.lock").write_text(lock, "utf-8")
            work = Work(tool="uv", folder=into, reads=(str(folder), *python.roots))
            done = await self._uv.install(venv, python, wanted, project.name, work)
        if not wheel:
            await asyncio.to_thread(place, tree, project, venv)
        await self._uv.compile_bytecode(python, venv / "lib", work)
        await self._uv.compile_bytecode(python, tree, work)
        with home_errors(into):
            await asyncio.to_thread(make_readable, into)
        command = Script(package=project.name, name="build", command=" ".join(project.build_requires), ran=True)
        return Built(
            entry=_entry(tree, project, manifest, into, python, options.executable),
            confined=done.confined,
            unconfined=done.unconfined,
            packages=versions(lock),
            scripts=(command,) if wheel else (),
            integrity=fetched.archive_sha,
        )

    async def _locked(self, root: Path, project: PythonProject, python: Interpreter, options: Options) -> str:
        if options.locked:
            return options.locked
        if project.dependencies is None:
            return ""
        if (root / _LOCK).is_file() and not options.constraints:
            return await self._exported(root, project, python)
        return await self._compiled(project.dependencies, python, options, project.name)

    async def _builders(self, project: PythonProject, python: Interpreter, options: Options, name: str) -> str:
        return options.builders or await self._compiled(project.build_requires, python, options, name)

    async def _compiled(self, wanted: tuple[str, ...], python: Interpreter, options: Options, name: str) -> str:
        check_requirements(name, wanted)
        return (await self._uv.compile(wanted, python, options, name)).text if wanted else ""

    async def _exported(self, root: Path, project: PythonProject, python: Interpreter) -> str:
        """Return what ``uv.lock`` says in the form that is installed from, with hashes. Nothing is looked up."""
        seconds = self._bench.config.install.resolve_timeout_seconds
        async with self._installations.scratch() as folder:
            for name in ("pyproject.toml", _LOCK):
                with home_errors(folder):
                    (folder / name).write_text(text_of(root, name), "utf-8")
            flags = ("--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "--offline")
            words = ("export", *QUIET, *flags, "--python", python.path, "--project", str(folder))
            work = Work(tool="uv", folder=folder, reads=python.roots)
            done = await self._uv.run(words, project.name, seconds, work)
        lock = done.stdout.decode("utf-8", "replace")
        foreign = [line for line in lock.splitlines() if line.startswith(("-", ".", "/")) or " @ " in line]
        if foreign:
            raise InstallFailed(
                f"{project.name} is locked with {foreign[0][:120]!r}",
                "only what an index has can be pinned and verified",
            )
        return lock


def _check(root: Path, project: PythonProject, options: Options) -> None:
    """Refuse at once what could not be started."""
    if project.dependencies is None and not options.allow_scripts:
        raise InstallFailed(
            f"{project.name} says what it needs only when it is built, and its build may not run",
            "--allow-scripts lets it be built, inside the sandbox; or give it [project] dependencies",
        )
    if options.executable or project.scripts:
        return
    if _started(root, project) is None:
        raise InstallFailed(
            f"{project.name} is no MCP server: it declares no program ([project.scripts])",
            f"nor has it {project.module}/__main__.py, {project.module}.py, {', '.join(_STARTED)}",
        )


def _started(root: Path, project: PythonProject) -> tuple[str, ...] | None:
    """Return how a project without declared programs is started, by what its files are called."""
    package = root_of(root, project, project.module)
    if package is not None and (package / project.module / "__main__.py").is_file():
        return ("-m", project.module)
    for name in (f"{project.module}.py", *_STARTED):
        for folder in project.roots:
            path = (root / folder / name).resolve()
            if path.is_file() and path.is_relative_to(root.resolve()):
                return (str(path),)
    return None


def _entry(
    tree: Path, project: PythonProject, manifest: dict[str, Any], into: Path, python: Interpreter, wanted: str
) -> Entry:
    venv, roots = into / "venv", (str(into), *python.roots)
    own, file = str(venv / "bin" / "python"), (tree / wanted).resolve()
    if wanted.startswith("-"):  # whoever asks says what Python is given
        return Entry(argv=(own,), runtime="python", roots=roots)
    if wanted.endswith(".py") and file.is_relative_to(tree.resolve()) and file.is_file():
        return Entry(argv=(own, str(tree / wanted)), runtime="python", roots=roots)
    programs = tuple(manifest["console_scripts"])
    if programs or wanted:
        program = venv / "bin" / choose(project.name, programs, wanted)
        if not program.is_file():
            raise InstallFailed(
                f"{project.name} declares {program.name}, but it was not installed", "mend its metadata"
            )
        return Entry(argv=(own, str(program)), runtime="python", roots=roots)
    started = _started(tree, project)
    if started is None:
        raise InstallFailed(f"{project.name} has no program", "declare one in [project.scripts]")
    return Entry(argv=(own, *started), runtime="python", roots=roots)
