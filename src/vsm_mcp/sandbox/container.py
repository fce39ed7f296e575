"""A program in a container of podman or docker: how it is started, and how all of it ends.

The engine's client is our child and passes the standard streams on; the container is another's. It is known by its
name, by labels that name the daemon and, among the processes of this machine, by two variables in its environment: the
guard, which ends what a dead daemon left, finds it by one of them where it may see it. Then the engine removes it; the
next daemon removes what is left even so.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.errors import BadArgument, InstallFailed, SandboxUnavailable
from vsm_mcp.sandbox import tree
from vsm_mcp.sandbox.cgroup import alive, daemon_name
from vsm_mcp.sandbox.confinement import HOME, TMP, Command, Completed, Confinement
from vsm_mcp.sandbox.egress.rules import AllowList
from vsm_mcp.sandbox.engine import PASSED, engine_environ, is_podman, walls
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.loose import MARKER
from vsm_mcp.sandbox.running import Running, popen
from vsm_mcp.sandbox.tool import death_signal, run_tool

LABEL: Final = "vsm-mcp.daemon"
SERVER_LABEL: Final = "vsm-mcp.server"
_SECONDS: Final = 30.0
_CLIENT_SECONDS: Final = 5.0


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What one container is known by: its ``name``, the ``server`` it is for, and what marks its processes."""

    name: str
    server: str
    marks: dict[str, str] = {}


def identity_of(server: str, token: str) -> Identity:
    """Return a new identity for a process of ``server``; ``token`` is what the guard looks for."""
    marker = secrets.token_hex(8)
    word = re.sub(r"[^A-Za-z0-9_.-]", "_", server)[:40].strip("_.-") or "server"
    return Identity(name=f"vsm-mcp-{word}-{marker}", server=server, marks={VARIABLE: token, MARKER: marker})


def run_argv(command: Command, confinement: Confinement, identity: Identity) -> tuple[str, ...]:
    """Return the command line that runs an image; ``command.argv`` is the image and what follows it. Pure.

    Values of variables are not in it: the client takes them from its own environment. Raises :class:`BadArgument` for a
    path that cannot be granted, :class:`SandboxUnavailable` for what no container can be held to.
    """
    return (
        *confinement.engine,
        *("run", "--rm", "--interactive", "--pull=never", f"--name={identity.name}"),
        *(f"--label={LABEL}={daemon_name()}", f"--label={SERVER_LABEL}={identity.server}"),
        *walls(confinement.engine, confinement.open_files),
        *_network(confinement),
        *(f"--pids-limit={confinement.processes}", f"--memory={confinement.memory_bytes}"),
        f"--memory-swap={confinement.memory_bytes}",
        *((f"--cpus={confinement.cpus:g}",) if confinement.cpus else ()),
        f"--shm-size={confinement.shared_memory_bytes}",
        f"--tmpfs={TMP}:rw,nosuid,nodev,size={confinement.scratch_bytes},mode=1777",
        *(f"--env={name}={value}" for name, value in identity.marks.items()),
        *_variables(command.env),
        *_mounts(confinement),
        *((f"--workdir={command.cwd}",) if command.cwd != HOME else ()),
        *command.argv,
    )


def _network(confinement: Confinement) -> tuple[str, ...]:
    if isinstance(confinement.network, AllowList) and confinement.network:
        raise SandboxUnavailable(
            "a container cannot be held to a list of hosts",
            "grant the machine's network with --allow-host '*', or none",
        )
    if confinement.listens:
        raise SandboxUnavailable(
            "a container that listens on a port cannot be reached", "use the image's standard streams: no --listens"
        )
    return ("--network=host" if confinement.network else "--network=none",)


def _variables(env: Mapping[str, str]) -> Iterable[str]:
    """Name each variable; those that the client itself needs are given with their value, for its own differs."""
    for name in sorted(env):
        yield f"--env={name}={env[name]}" if name in PASSED else f"--env={name}"


def _mounts(confinement: Confinement) -> Iterable[str]:
    for path, writable in (
        *((path, False) for path in confinement.granted_read_only),
        *((path, True) for path in confinement.granted_writable),
    ):
        if "," in path or '"' in path:
            raise BadArgument(f"{path} cannot be granted to a container: its name has a comma or a quote in it")
        if not Path(path).exists():
            raise BadArgument(f"{path} cannot be granted: it is not there")
        inside = next((hidden for hidden in confinement.hidden if _contains(path, hidden)), "")
        if inside:
            raise BadArgument(
                f"{path} cannot be granted to a container: {inside} lies in it", "grant what is needed of it"
            )
        yield f"--mount=type=bind,source={path},target={path}{'' if writable else ',readonly'}"


def _contains(path: str, other: str) -> bool:
    return PurePosixPath(other).is_relative_to(PurePosixPath(path).as_posix())


def start(
    command: Command, confinement: Confinement, name: str, token: str, environ: Mapping[str, str]
) -> tuple[Running, Contained]:
    """Start an image; ``environ`` is that of this machine.

    Raises what :func:`run_argv` raises, and :class:`SandboxUnavailable` where it cannot be started.
    """
    identity = identity_of(name, token)
    argv = run_argv(command, confinement, identity)
    own = engine_environ(environ)
    try:
        running = popen([*death_signal(), *argv], env={**command.env, **own}, cwd="/")
    except OSError as error:
        raise SandboxUnavailable(f"{argv[0]} cannot be started: {error.strerror or error}") from error
    return running, Contained(running, confinement.engine, identity, own)


class Contained:
    """See :class:`~vsm_mcp.sandbox.scope.Scope`."""

    def __init__(self, running: Running, engine: tuple[str, ...], identity: Identity, env: Mapping[str, str]) -> None:
        """``engine`` is the beginning of its command line, ``env`` what it gets."""
        self._running = running
        self._engine = engine
        self._identity = identity
        self._env = env
        self._removing: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The first process of the container, where it can be seen; else the engine's client."""
        return next(iter(self._own()), self._running.pid)

    def processes(self) -> list[int]:
        """Return the processes of the container that can be seen; those of another user's daemon cannot."""
        return self._own()

    def end(self) -> None:
        """Kill what can be seen, and have the engine remove the container."""
        tree.send(self._own(), signal.SIGKILL)
        if self._removing is None:
            self._removing = asyncio.get_running_loop().create_task(self._remove(), name="container")

    def out_of_memory(self) -> bool:
        """Nobody tells: the container is gone with its end."""
        return False

    def exceeded(self) -> str:
        """Return nothing: the engine ends none for another limit."""
        return ""

    def peak_memory(self) -> int | None:
        """Nobody counted."""
        return None

    def adapt(self, confinement: Confinement) -> bool:
        """Have it started anew: engines differ in what they can change."""
        return False

    def limit_cpu(self, cpus: float) -> None:
        """It was limited from its start on."""

    async def settle(self) -> None:
        """Make sure that the container is gone."""
        if self._removing is None:
            self.end()
        assert self._removing is not None  # noqa: S101 - set just now
        await asyncio.wait([self._removing])
        tree.send(self._own(), signal.SIGKILL)

    async def _remove(self) -> None:
        await remove(self._engine, (self._identity.name,), self._env)
        await asyncio.wait([self._running.exited], timeout=_CLIENT_SECONDS)
        self._running.kill()

    def _own(self) -> list[int]:
        return tree.marked(f"{MARKER}={self._identity.marks[MARKER]}")


async def remove(engine: tuple[str, ...], names: Iterable[str], env: Mapping[str, str]) -> bool:
    """Remove containers by force, whether they are there or not; return whether that went well."""
    force = ("--force", "--ignore", "--time=0") if is_podman(engine) else ("--force",)
    done = await _run((*engine, "rm", *force, *names), env)
    return done is not None and done.ok


async def sweep(engine: tuple[str, ...], environ: Mapping[str, str]) -> int:
    """Remove the containers that daemons which are gone have left; return how many."""
    env = engine_environ(environ)
    names = await _lines((*engine, "ps", "--all", f"--filter=label={LABEL}", "--format={{.Names}}"), env)
    if not names:
        return 0
    form = '--format={{.Name}} {{index .Config.Labels "' + LABEL + '"}}'
    rows = [row.split() for row in await _lines((*engine, "inspect", "--type=container", form, *names), env)]
    found = [row[0].lstrip("/") for row in rows if len(row) == 2 and not alive(row[1])]
    return len(found) if found and await remove(engine, found, env) else 0


async def _lines(argv: tuple[str, ...], env: Mapping[str, str]) -> list[str]:
    done = await _run(argv, env)
    return done.stdout.decode("utf-8", "replace").splitlines() if done is not None else []


async def _run(argv: tuple[str, ...], env: Mapping[str, str]) -> Completed | None:
    with contextlib.suppress(InstallFailed):
        return await run_tool(argv, env=env, cwd="/", timeout=_SECONDS)
    return None
