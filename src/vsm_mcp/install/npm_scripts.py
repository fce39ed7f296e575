"""Runs the scripts of npm packages and projects that someone allowed: in the sandbox, without network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.installer import Bench, Script
from vsm_mcp.install.tools import Node, tail
from vsm_mcp.sandbox.confinement import HOME, Command, Confinement

_SCRATCH: Final = 512 * 1024 * 1024
_PROCESSES: Final = 512
_TEMPORARY: Final = "/tmp"  # noqa: S108 - the sandbox's own memory
_SETTINGS: Final = {
    "cache": f"{_TEMPORARY}/npm-cache",
    "userconfig": "/dev/null",
    "globalconfig": "/nonexistent/npmrc",
    "update_notifier": "false",
    "audit": "false",
    "fund": "false",
    "offline": "true",
    "loglevel": "error",
}
# Compilers: a big C file (SQLite) takes a quarter of the time with -O1 that it takes with -O3, and a person waits.
_COMPILERS: Final = {"CFLAGS": "-O1", "CXXFLAGS": "-O1", "JOBS": "2"}


async def run_scripts(bench: Bench, node: Node, root: Path, scripts: tuple[Script, ...]) -> tuple[Script, ...]:
    """Run all ``scripts`` below ``root`` with ``npm rebuild`` and return them marked as run.

    Raises :class:`InstallFailed` when one fails or when there is no sandbox to run them in.
    """
    packages = sorted({script.package.rsplit("node_modules/", 1)[-1] for script in scripts})
    await _run(bench, node, root, ("rebuild", *packages), f"the install scripts of {', '.join(packages)}")
    return tuple(msgspec.structs.replace(script, ran=True) for script in scripts)


async def run_project_script(bench: Bench, node: Node, root: Path, name: str) -> None:
    """Run one script of the project at ``root`` itself (``build``). Raises as :func:`run_scripts` does."""
    await _run(bench, node, root, ("run", name), f"its script {name!r}")


async def _run(bench: Bench, node: Node, root: Path, words: tuple[str, ...], what: str) -> None:
    if bench.run_sandboxed is None:
        raise InstallFailed("install scripts run only in the sandbox, and there is none here", "see `vsm-mcp doctor`")
    env = _COMPILERS | {f"npm_config_{key}": value for key, value in _SETTINGS.items()}
    headers = _headers(bench, node)
    if headers:
        env["npm_config_nodedir"] = headers
    env |= {
        "PATH": f"{Path(node.path).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "TMPDIR": _TEMPORARY,
    }
    command = Command(argv=(*node.npm, *words), env=env, cwd=str(root))
    reads = tuple(sorted({*node.roots, *_outside_usr(headers)}))
    timeout = bench.config.install.build_timeout_seconds
    confinement = build_confinement(bench, reads, root)
    done = await bench.run_sandboxed(command, confinement, name="install-scripts", timeout=timeout)
    if done.timed_out:
        raise InstallFailed(f"{what} ran longer than {timeout:g} s", _HINT)
    if not done.ok:
        raise InstallFailed(f"{what} failed: npm {done.exit.describe()}: {tail(done, 6)}", _HINT)


def build_confinement(bench: Bench, reads: tuple[str, ...], *folders: Path) -> Confinement:
    """Return what code that builds may touch: the ``folders``, what it ``reads``, and no network."""
    limits = bench.config.sandbox
    return Confinement(
        read_only=reads,
        writable=tuple(map(str, folders)),
        memory_bytes=limits.build_memory_bytes,
        cpus=0,
        processes=max(limits.processes, _PROCESSES),
        open_files=max(limits.open_files, 4096),
        scratch_bytes=_SCRATCH,
    )


_HINT = "they run in the sandbox without network: what they download cannot be had; compilers must be installed here"


def _headers(bench: Bench, node: Node) -> str:
    """Return the prefix below which node's C headers lie (npm's ``nodedir``), or ``""``."""
    for prefix in (bench.registries.addresses.npm_nodedir, node.prefix):
        if prefix and (Path(prefix) / "include" / "node" / "node.h").is_file():
            return prefix
    return ""


def _outside_usr(path: str) -> tuple[str, ...]:
    return () if not path or path == "/usr" or path.startswith("/usr/") else (path,)
