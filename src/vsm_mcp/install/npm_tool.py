"""npm as this program runs it: quiet, without scripts, in the sandbox, its failures as errors of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.install import npm_lock
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.files import home_errors
from vsm_mcp.install.installer import Bench
from vsm_mcp.install.npm_errors import LockRefused, explain, unpacking_failed
from vsm_mcp.install.tools import Node, find_node, run_tool
from vsm_mcp.sandbox.confinement import Completed

QUIET: Final = ("--json", "--loglevel=warn", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier")
CAREFUL: Final = (
    "--ignore-scripts",
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
SAFE: Final = (*CAREFUL, "--omit=dev")
LOCK: Final = "package-lock.json"
_PATIENCE: Final = {"fetch_retries": "1", "fetch_retry_mintimeout": "500", "fetch_retry_maxtimeout": "3000"}


class Npm:
    """npm and the node that runs it, found when they are first needed."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._node: Node | None = None

    async def node(self) -> Node:
        """Return node and npm of this machine. Raises :class:`InstallFailed` where they are missing."""
        if self._node is None:
            self._node = await find_node(self._bench)
        return self._node

    async def run(self, cwd: Path, args: tuple[str, ...], package: str, urls: tuple[str, ...] = ()) -> Completed:
        """Run npm in ``cwd``, which it may change; ``package`` is named in errors, ``urls`` it may reach as well."""
        node, limits = await self.node(), self._bench.config.install
        timeout = limits.resolve_timeout_seconds if "--package-lock-only" in args else limits.build_timeout_seconds
        given = {key.lower() for key in self._bench.registries.addresses.environ}
        extra = {f"npm_config_{key}": value for key, value in _PATIENCE.items() if f"npm_config_{key}" not in given}
        work = Work(tool="npm", folder=cwd, reads=node.roots, urls=urls)
        done = await run_tool(self._bench, (*node.npm, *args), str(cwd), timeout, extra, work)
        if not done.ok or unpacking_failed(done):
            raise explain(package, done, self._bench.config.home)
        return done

    async def install(self, into: Path, lock: str, package: str) -> Completed:
        """Install what the lock says. Raises :class:`InstallFailed` when npm would take anything else."""
        urls = npm_lock.addresses(into / LOCK)
        try:
            return await self.run(into, ("ci", *QUIET, *SAFE, "--prefer-offline"), package, urls)
        except LockRefused:
            # `npm ci` refuses its own lock where an optional dependency is not in the registry; `npm install` skips it
            done = await self.run(into, ("install", *QUIET, *SAFE, "--prefer-offline"), package, urls)
            if npm_lock.strangers(lock, (into / LOCK).read_text("utf-8")):
                raise
            return done


def write_project(folder: Path, project: dict[str, Any], lock: str = "") -> None:
    """Write package.json, and the lock beside it where there is one."""
    with home_errors(folder):
        (folder / "package.json").write_bytes(msgspec.json.encode(project))
        if lock:
            (folder / LOCK).write_text(lock, "utf-8")
