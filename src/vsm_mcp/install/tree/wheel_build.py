"""Builds a wheel with a project's own build backend: in the sandbox, without network, because someone allowed it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import Limits, digest_of, unpack_zip
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.installer import Bench
from vsm_mcp.install.interpreter import Interpreter
from vsm_mcp.install.npm_scripts import build_confinement
from vsm_mcp.install.tools import find_uv, tail
from vsm_mcp.install.uv_tool import QUIET, Uv
from vsm_mcp.install.wheel import read_manifest
from vsm_mcp.sandbox.confinement import HOME, TMP, Command

_HINT: Final = (
    "it runs in the sandbox without network: what it downloads cannot be had; compilers must be installed here"
)


async def build_wheel(
    bench: Bench, python: Interpreter, tree: Path, lock: str, folder: Path, *, version: str = "0.0.0"
) -> tuple[Path, str]:
    """Return the wheel of ``tree``, made in ``folder``, and its ``sha256:hex``.

    ``lock`` is that of what builds it; backends that read the ``version`` from a history are told it.
    Raises :class:`InstallFailed`.
    """
    if bench.run_sandboxed is None:
        raise InstallFailed("build backends run only in the sandbox, and there is none here", "see `vsm-mcp doctor`")
    venv, wanted, wheels = folder / "build-venv", folder / "build.txt", folder / "wheels"
    wheels.mkdir()
    wanted.write_text(lock, "utf-8")
    uv, seconds = find_uv(), bench.config.install.build_timeout_seconds
    await Uv(bench).install(venv, python, wanted, "what builds it", Work(tool="uv", folder=folder, reads=python.roots))
    words = ("--wheel", "--no-build-isolation", "--offline", "--no-config", "--python", str(venv / "bin" / "python"))
    command = Command(
        argv=(uv, "build", *QUIET, *words, "--out-dir", str(wheels), str(tree)),
        env={
            "PATH": f"{venv / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": HOME,
            "LANG": "C.UTF-8",
            "TMPDIR": TMP,
            "UV_CACHE_DIR": f"{TMP}/uv",
            "UV_PYTHON_DOWNLOADS": "never",
            # the history that backends read a version from is not there
            "SETUPTOOLS_SCM_PRETEND_VERSION": version,
        },
        cwd=str(tree),
    )
    confinement = build_confinement(bench, (uv, *python.roots), folder, tree)
    done = await bench.run_sandboxed(command, confinement, name="install-scripts", timeout=seconds)
    if done.timed_out:
        raise InstallFailed(f"its build backend ran longer than {seconds:g} s", _HINT)
    wheel = next(wheels.glob("*.whl"), None)
    if not done.ok or wheel is None or wheel.is_symlink():
        raise InstallFailed(f"its build backend failed: {tail(done, 6)}", _HINT)
    return wheel, digest_of(wheel, "sha256")


async def examined_wheel(bench: Bench, wheel: Path, folder: Path, name: str) -> dict[str, Any]:
    """Return what the wheel says that was built; refuse one that would run at every start of Python.

    It is unpacked below ``folder``. Raises :class:`InstallFailed`.
    """
    limits, root = bench.config.install, folder / "wheel"
    bounds = Limits(size=limits.max_unpacked_bytes, files=limits.max_files)
    members = await asyncio.to_thread(unpack_zip, wheel, root, bounds)
    hooks = [each.name for each in members if each.name.endswith(".pth") or "customize" in each.name.split("/")[0]]
    if hooks:
        raise InstallFailed(f"what {name} builds runs at every start of Python: {hooks[0]}", "do not install it")
    return read_manifest(root, name)
