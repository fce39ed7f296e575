"""uv as this program runs it: wheels only, with hashes, in the sandbox, its failures as errors of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.cool_down import cutoff, exempt
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.files import home_errors
from vsm_mcp.install.installer import Bench, Options, bounds
from vsm_mcp.install.interpreter import Interpreter, other_interpreters, own_interpreter
from vsm_mcp.install.pypi_errors import SourceOnly, Undated, explain
from vsm_mcp.install.python_lock import newer_than, uv_environ
from vsm_mcp.install.tools import find_uv, run_tool
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.sandbox.confinement import Completed

QUIET: Final = ("--no-progress", "--color=never")


class UvLock(NamedTuple):
    """A lock with hashes; ``undated`` are packages that an index gives no dates for: no cool-down holds for these.

    ``newer`` were source alone at the time of a release, and are as new as the cool-down lets them be.
    """

    text: str
    undated: frozenset[str]
    newer: frozenset[str] = frozenset()


class Uv:
    """uv, and the Pythons of this machine that it installs for."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._installations = Installations(bench.config.home)
        self._known: dict[str, Interpreter] = {}
        self._resolve_seconds = bench.config.install.resolve_timeout_seconds

    async def interpreters(self) -> AsyncIterator[Interpreter]:
        """Yield our own Python, then the others, which are looked for only when the caller goes on."""
        yield own_interpreter()
        others = await other_interpreters(self._bench)
        self._known |= {python.path: python for python in others}
        for python in others:
            yield python

    async def interpreter(self, path: str) -> Interpreter:
        """Return the Python at ``path`` (empty: ours). Raises :class:`InstallFailed` where it is gone."""
        own = own_interpreter()
        if path in {own.path, ""}:
            return own
        if path not in self._known:
            self._known |= {python.path: python for python in await other_interpreters(self._bench)}
        if path not in self._known:
            raise InstallFailed(f"the Python at {path} is not there any more", "resolve it again")
        return self._known[path]

    async def compile(
        self,
        requirements: Sequence[str],
        python: Interpreter,
        options: Options,
        package: str,
        urls: tuple[str, ...] = (),
        ref: Ref | None = None,
    ) -> UvLock:
        """Return the lock of requirements, with hashes, for what ``package`` names (``ref``, where it has one).

        A dependency that was published as source alone at the time of a release (``not_after``) may be newer. Raises
        what :meth:`run` does, and ``PythonTooOld``.
        """
        undated, newer = frozenset[str](), frozenset[str]()
        aged = cutoff(msgspec.structs.replace(options, not_after=None))
        while True:
            others = dict.fromkeys(exempt(RefKind.PYPI, options, ref), options.not_after)
            others |= dict.fromkeys(sorted(undated)) | dict.fromkeys(sorted(newer), aged)
            cool = newer_than(cutoff(options), others)
            flags = ("--no-build", "--generate-hashes", "--no-header", "--no-annotate", *cool, "--python", python.path)
            try:
                async with self._installations.scratch() as folder:
                    with home_errors(folder):
                        (folder / "requirements.in").write_text("\n".join(requirements) + "\n", "utf-8")
                        (folder / "constraints.txt").write_text("\n".join(bounds(options.constraints)) + "\n", "utf-8")
                    sources = (str(folder / "requirements.in"), "-c", str(folder / "constraints.txt"))
                    work, seconds = Work(tool="uv", folder=folder, reads=python.roots, urls=urls), self._resolve_seconds
                    done = await self.run(("pip", "compile", *QUIET, *flags, *sources), package, seconds, work)
                return UvLock(done.stdout.decode("utf-8", "replace"), undated, newer)
            except (Undated, SourceOnly) as error:
                if options.not_after is not None and error.source_only not in newer | {""}:
                    newer |= {error.source_only}
                elif isinstance(error, Undated) and not error.packages <= undated:
                    undated |= error.packages
                else:
                    raise

    async def install(self, venv: Path, python: Interpreter, wanted: Path, package: str, work: Work) -> Completed:
        """Make a virtual environment with what the requirements in ``wanted`` lock."""
        seconds = self._bench.config.install.build_timeout_seconds
        done = await self.run(
            ("venv", *QUIET, "--no-project", "--python", python.path, str(venv)), package, seconds, work
        )
        if not wanted.stat().st_size:  # noqa: ASYNC240 - one look
            return done
        flags = ("--python", str(venv / "bin" / "python"), "--no-deps", "--require-hashes", "--no-build")
        install = ("pip", "install", *QUIET, *flags, "--link-mode=copy", "-r", str(wanted))
        return await self.run(install, package, seconds, work)

    async def compile_bytecode(self, python: Interpreter, tree: Path, work: Work) -> None:
        """Compile ahead: the installation is read-only for its server. The base Python knows nothing of the venv."""
        argv = (python.path, "-I", "-S", "-m", "compileall", "-q", "-j", "2", str(tree))
        # a package may hold files that do not compile (templates, Python 2); that is its own affair
        await run_tool(self._bench, argv, "/", self._bench.config.install.build_timeout_seconds, work=work)

    async def run(self, args: tuple[str, ...], package: str, seconds: float, work: Work) -> Completed:
        """Run uv; ``package`` is named in errors."""
        extra = uv_environ(self._bench.registries.addresses)
        servers = await self._bench.registries.python_file_servers()
        work = msgspec.structs.replace(work, reads=(find_uv(), *work.reads), urls=(*work.urls, *servers))
        done = await run_tool(self._bench, (find_uv(), *args), "/", seconds, extra, work)
        if not done.ok:
            raise explain(package, done)
        return done
