"""What runs containers on this machine: podman or docker, found by trying it. One that is merely installed is none.

Podman is tried with a container of its own that holds nothing and borrows ``/usr``, with each OCI runtime that is here:
some refuse the control groups of some machines. Docker is asked whether its daemon answers, and what that can limit.
"""

from __future__ import annotations

import contextlib
import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from vsm_mcp.errors import InstallFailed, SandboxUnavailable
from vsm_mcp.sandbox.confinement import MEBIBYTE, Completed
from vsm_mcp.sandbox.tool import run_tool

NAMES: Final = ("podman", "docker")
_RUNTIMES: Final = ("", "crun", "runc")
_SECONDS: Final = 60.0
PASSED: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"}
    | {"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"}
    | {"CONTAINER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"}
    | {"REGISTRY_AUTH_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "DBUS_SESSION_BUS_ADDRESS"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)
_LINKS: Final = ("bin", "lib", "lib64", "sbin")
_FOLDERS: Final = ("usr", "proc", "sys", "dev", "tmp", "etc", "run")
_PODMAN_PROCESSES: Final = 4096
"""``RLIMIT_NPROC`` counts all processes of a uid on the machine, so it limits nothing here; podman's own wish for more
than it may set fails where it lacks ``CAP_SYS_RESOURCE``."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One that works: ``program`` is its absolute path, ``runtime`` the OCI runtime to ask podman for (empty: its own).

    ``rootless`` says that what is root in a container is an ordinary user of this machine.
    """

    name: str
    program: str
    version: str
    runtime: str = ""
    rootless: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The beginning of every command line."""
        return (self.program, *((f"--runtime={self.runtime}",) if self.runtime else ()))


def engine_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what podman and docker get of our environment: where they find settings, storage and logins."""
    passed = {name: value for name, value in environ.items() if name in PASSED}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), **passed}


async def find_engine(environ: Mapping[str, str], wanted: str = "auto") -> Engine:
    """Return the first engine that works, or the ``wanted`` one.

    Raises :class:`SandboxUnavailable`, with the reason for each that was looked at.
    """
    reasons, env = [], engine_environ(environ)
    for name in NAMES if wanted == "auto" else (wanted,):
        program = shutil.which(name, path=env["PATH"])
        if program is None:
            reasons.append(f"{name} is not installed")
            continue
        try:
            return await (_podman(program, env) if name == "podman" else _docker(program, env))
        except _Unfit as error:
            reasons.append(f"{name} does not work: {error}")
    raise SandboxUnavailable(
        f"no container can be run here: {'; '.join(reasons)}", "install podman (apt-get install podman) or start docker"
    )


class _Unfit(Exception):
    """Why an engine cannot be used, as a clause."""


async def _podman(program: str, env: Mapping[str, str]) -> Engine:
    info = await _asked((program, "info", "--format", "json"), env)
    host = info.get("host") or {}
    rootless = bool((host.get("security") or {}).get("rootless"))
    if rootless and host.get("cgroupVersion") == "v1":
        raise _Unfit("run by an ordinary user, it limits no memory with control groups of version 1")
    version, said = str((info.get("version") or {}).get("Version", "")), []
    own = str((host.get("ociRuntime") or {}).get("name", ""))
    for runtime in (each for each in _RUNTIMES if each != own):
        if runtime and shutil.which(runtime, path=f"{env['PATH']}:/usr/sbin:/usr/bin") is None:
            continue
        engine = Engine(name="podman", program=program, version=version, runtime=runtime, rootless=rootless)
        done = await _tried(engine, env)
        if done.ok:
            return engine
        said.append(f"{runtime or 'its own runtime'}: {last_line(done)}")
    raise _Unfit("; ".join(said))


async def _docker(program: str, env: Mapping[str, str]) -> Engine:
    info = await _asked((program, "info", "--format", "{{json .}}"), env)
    if errors := info.get("ServerErrors"):
        raise _Unfit(str(errors[0]))
    if not (info.get("MemoryLimit") and info.get("PidsLimit")):
        raise _Unfit("its daemon cannot limit memory and processes")
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    return Engine(name="docker", program=program, version=str(info.get("ServerVersion", "")), rootless=rootless)


async def _asked(argv: tuple[str, ...], env: Mapping[str, str]) -> dict[str, Any]:
    try:
        done = await run_tool(argv, env=env, cwd="/", timeout=_SECONDS)
        found = msgspec.json.decode(done.stdout) if done.ok else None
    except (InstallFailed, msgspec.DecodeError) as error:
        raise _Unfit(str(error)) from error
    if not isinstance(found, dict):
        raise _Unfit(last_line(done))
    return found


async def _tried(engine: Engine, env: Mapping[str, str]) -> Completed:
    """Run ``true`` as confined as a server would be."""
    with _empty_root() as root:
        confined = (*walls(engine.command), "--network=none", "--pids-limit=64", f"--memory={64 * MEBIBYTE}")
        argv = (*engine.command, "run", "--rm", *confined, "--volume=/usr:/usr:ro", "--rootfs", root, "/usr/bin/true")
        return await run_tool(argv, env=env, cwd="/", timeout=_SECONDS)


@contextlib.contextmanager
def _empty_root() -> Iterator[str]:
    """Lend a root of a file system with nothing but where something may be mounted."""
    with tempfile.TemporaryDirectory(prefix="vsm-mcp-container-", ignore_cleanup_errors=True) as root:
        for folder in _FOLDERS:
            Path(root, folder).mkdir()
        for link in _LINKS:
            Path(root, link).symlink_to(f"usr/{link}")
        yield root


def is_podman(command: tuple[str, ...]) -> bool:
    """Whether a command line is one of podman."""
    return PurePosixPath(command[0]).name == "podman"


def walls(command: tuple[str, ...], open_files: int = 1024) -> tuple[str, ...]:
    """Return the options that every container is run with, whatever was granted; ``command`` is the engine's."""
    limits = [f"--ulimit=nofile={open_files}:{open_files}"]
    if is_podman(command):
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        most = _PODMAN_PROCESSES if hard == resource.RLIM_INFINITY else min(hard, _PODMAN_PROCESSES)
        limits += [f"--ulimit=nproc={most}:{most}", "--read-only-tmpfs=false"]
    return ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--log-driver=none", *limits)


def last_line(done: Completed) -> str:
    """Return the last thing that an engine said, for people."""
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    lines = ["".join(char for char in line if char.isprintable()).strip() for line in text.splitlines()]
    errors = [line for line in lines if line.startswith("Error")]
    said = next((line for line in reversed(errors or lines) if line), "") or done.exit.describe()
    return said.removeprefix("Error: ")[:400] if not done.timed_out else "it did not answer in time"
