"""The tools that installing needs on this machine: node, npm and uv, and the environment they get."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import uv

from vsm_mcp.errors import BadArgument, InstallFailed, SandboxUnavailable
from vsm_mcp.install.enclosure import MAX_OUTPUT, Work, run_enclosed
from vsm_mcp.install.files import disk_full
from vsm_mcp.install.installer import Bench
from vsm_mcp.sandbox.confinement import Completed

_ASK_SECONDS: Final = 20.0
_PROGRAMS: Final = ("node", "npm", "git", "podman", "docker")
_NETWORK: Final = frozenset(
    {"path", "lang", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}
)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Node as it is installed here: absolute paths of the program and of npm's command, its version and prefix."""

    path: str
    npm: tuple[str, ...]
    version: str
    prefix: str

    @property
    def roots(self) -> tuple[str, ...]:
        """What a process needs of it beyond ``/usr``: its prefix, or the program alone where that would be too much."""
        if self.path.startswith("/usr/"):
            return ()
        return (self.prefix,) if _is_own_prefix(Path(self.prefix)) else (self.path,)


async def find_node(bench: Bench) -> Node:
    """Find node and npm on the PATH. Raises :class:`InstallFailed` where they are missing."""
    environ = bench.registries.addresses.environ
    node, npm = (shutil.which(name, path=environ.get("PATH")) for name in ("node", "npm"))
    if node is None or npm is None:
        missing = "node" if node is None else "npm"
        raise InstallFailed(f"{missing} is not installed on this machine", "install node 20 or newer with npm")
    # a version manager's shim is no node: node itself says where it is
    done = await run_tool(bench, (node, "-p", "process.execPath + '\\n' + process.version"), "/", _ASK_SECONDS)
    words = done.stdout.decode("utf-8", "replace").split("\n")
    if not done.ok or len(words) < 2:
        raise InstallFailed(f"node at {node} does not run: {tail(done)}", "install node 20 or newer with npm")
    path, script = real_path(words[0]), real_path(npm)
    command = (path, script) if script.endswith(".js") else (npm,)
    return Node(path=path, npm=command, version=words[1].lstrip("v"), prefix=str(Path(path).parent.parent))


def present(environ: Mapping[str, str]) -> frozenset[str]:
    """Return which of the programs that methods of installing need are on the PATH."""
    path = environ.get("PATH")
    return frozenset(name for name in _PROGRAMS if shutil.which(name, path=path))


def find_uv() -> str:
    """Return the absolute path of the uv that came with us. Raises :class:`InstallFailed` where it is missing."""
    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise InstallFailed("uv is not installed beside this program", "install it again: pip install uv") from error


def tool_environ(bench: Bench) -> dict[str, str]:
    """Return what npm and uv get of our environment: what they need to find registries, and no more.

    Where the user's cache cannot be written, a cache below the home takes its place.
    """
    environ = dict(bench.registries.addresses.environ)
    environ.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    environ.setdefault("HOME", str(bench.config.home))
    caches = bench.config.home / "cache"
    shared = Path(environ.get("XDG_CACHE_HOME") or Path(environ["HOME"]) / ".cache")
    if "UV_CACHE_DIR" not in environ and not _can_write(shared / "uv"):
        environ["UV_CACHE_DIR"] = str(caches / "uv")
    if not _names(environ, "npm_config_cache") and not _can_write(Path(environ["HOME"]) / ".npm"):
        environ["npm_config_cache"] = str(caches / "npm")
    return environ


def _network_environ(bench: Bench) -> dict[str, str]:
    """Return what a tool gets that has no business with registries: programs, proxies, certificates."""
    environ = bench.registries.addresses.environ
    kept = {name: value for name, value in environ.items() if name.lower() in _NETWORK}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **kept}


async def run_tool(
    bench: Bench,
    argv: tuple[str, ...],
    cwd: str,
    seconds: float,
    extra: Mapping[str, str] | None = None,
    work: Work | None = None,
) -> Completed:
    """Run one of our tools to its end: in the sandbox, if there is one and it is said what its ``work`` is.

    ``unconfined`` of what is returned says why it was not, where there was work. Raises :class:`InstallFailed` when
    ``seconds`` pass first.
    """
    env = _network_environ(bench) if work is not None and work.bare else tool_environ(bench)
    env, why = env | dict(extra or {}), ""
    done: Completed | None = None
    if work is not None and not (why := open_by_choice(bench)):
        try:
            done = await run_enclosed(bench, argv, env, work, cwd=cwd, seconds=seconds)
        except (SandboxUnavailable, BadArgument) as error:  # no allow-list, or a file system without idmapping
            why = error.message
    if done is None:
        done = await bench.run_tool(argv, env=env, cwd=cwd, timeout=seconds, max_output=MAX_OUTPUT)
        done = msgspec.structs.replace(done, unconfined=why)
    if done.timed_out:
        raise InstallFailed(
            f"{Path(argv[0]).name} did not finish within {seconds:g} s",
            "try again, or raise [install] resolve_timeout_seconds or build_timeout_seconds",
        )
    if not done.ok and any(word in done.stderr + done.stdout for word in (b"ENOSPC", b"No space left on device")):
        raise disk_full(Path(bench.config.home))
    return done


def open_by_choice(bench: Bench) -> str:
    """Return why nothing is run in the sandbox from the outset, as a clause; "" where it is tried."""
    if not bench.config.install.confined:
        return "[install] confined is off"
    return "" if bench.run_sandboxed is not None else "this machine gives no sandbox"


def tail(done: Completed, lines: int = 3) -> str:
    """Return the last lines of what a tool said, on one line, without passwords in addresses."""
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return clean(" / ".join(said[-lines:]))[-600:]


def clean(text: str) -> str:
    """Return text without control characters and without user names and passwords in addresses."""
    words = ("".join(char if char.isprintable() else " " for char in text)).split(" ")
    return " ".join(_without_login(word) for word in words if word)


def _without_login(word: str) -> str:
    head, sep, rest = word.partition("://")
    if not sep or "@" not in rest.split("/", 1)[0]:
        return word
    return f"{head}://{rest.split('@', 1)[1]}"


def real_path(path: str) -> str:
    """Return a path with its links followed."""
    return str(Path(path).resolve())


def _names(environ: Mapping[str, str], name: str) -> bool:
    return any(key.lower() == name for key in environ)


def _can_write(path: Path) -> bool:
    """Whether a directory can be written, or made by the nearest one above it that is there."""
    for place in (path, *path.parents):
        if place.exists():
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False


def _is_own_prefix(prefix: Path) -> bool:
    """Whether a prefix is node's alone, and not a directory that holds a person's files too."""
    home = Path.home()
    if prefix == Path("/") or prefix in {home, home / ".local"} or home.is_relative_to(prefix):
        return False
    return (prefix / "lib" / "node_modules").is_dir() or (prefix / "include" / "node").is_dir()
