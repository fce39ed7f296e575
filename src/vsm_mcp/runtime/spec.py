"""A server of the catalogue → what is started, and with what: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.authorization.authorizer import NAMES
from vsm_mcp.config import Config
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.listens import template, with_port
from vsm_mcp.runtime.permissions import limited, permitted, profile_of
from vsm_mcp.runtime.placeholders import filled_entry
from vsm_mcp.sandbox.confinement import HOME, TMP, Command, Confinement, MachineNetwork, Network, NoNetwork
from vsm_mcp.sandbox.egress.rules import allow_list
from vsm_mcp.wire.authorizer import Authorizer

CONTAINER: Final = "container"
_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to get a connection: a program (``command`` and ``confinement``) or an address (``url`` and ``headers``).

    ``start_timeout`` is in seconds, ``max_message`` (the longest message of a server that runs elsewhere) in bytes.
    ``known_era`` (``modern``, ``legacy``) and ``known_transport`` are what an earlier connection found. ``secrets`` are
    the values that no log may show. ``session`` is the shortened key of the session that has the process for itself,
    if one has. ``oauth`` is what was given for authorization (see :data:`vsm_mcp.authorization.authorizer.NAMES`), and
    ``authorizer`` gets it. ``listens`` is the URL at which the program listens, ``{port}`` in it as in the command;
    empty where it speaks over its pipes. ``health`` is a path that is asked there. ``settings`` are for who starts a
    server of the embedding program's own.
    """

    name: str
    command: Command | None = None
    confinement: Confinement | None = None
    url: str | None = None
    headers: dict[str, str] = {}
    start_timeout: float = 30.0
    unsandboxed: bool = False
    max_message: int = 32 * 1024 * 1024
    known_era: str | None = None
    known_transport: str = ""
    secrets: tuple[str, ...] = ()
    session: str = ""
    oauth: dict[str, str] = {}
    authorizer: Authorizer | None = None
    listens: str = ""
    health: str = ""
    settings: Settings = Settings()

    def __repr__(self) -> str:
        return f"ServerSpec(name={self.name!r}, command={self.command!r}, url={self.url!r})"


def spec_of(server: Server, secrets: Mapping[str, str], config: Config) -> ServerSpec:
    """Return how a server is started; ``secrets`` maps variables to values, beside those in its settings.

    The environment is made from nothing: a short PATH, the sandbox's home, and what the installation, the catalogue
    and the person gave, in this order. For a remote server, what the person gave are its HTTP headers, but for
    what is given for authorization. Raises :class:`UnknownPermissions` where the permission profile cannot be had,
    and :class:`BadArgument` for a host that cannot be read or a project directory that nobody named.
    """
    settings, entry = server.settings, server.installation.entry
    hidden = {**settings.secrets, **secrets}
    if entry.runtime == "custom":
        return ServerSpec(
            name=server.name,
            start_timeout=config.runtime.start_timeout_seconds,
            known_era=server.era or None,
            secrets=tuple(hidden.values()),
            settings=settings,
        )
    if entry.remote:
        given = {**server.env, **settings.env, **hidden}
        return ServerSpec(
            name=server.name,
            url=entry.argv[0] if entry.argv else server.ref.name,
            headers={name: value for name, value in given.items() if name not in NAMES},
            oauth={name: value for name, value in given.items() if name in NAMES},
            start_timeout=config.runtime.start_timeout_seconds,
            max_message=config.runtime.max_line_bytes,
            known_era=server.era or None,
            known_transport=server.transport,
            secrets=tuple(hidden.values()),
        )
    engine, program = parted(entry)
    own, env = filled_entry(program, entry.env, entry.env | server.env | settings.env | hidden)
    argv = (*own, *server.args, *settings.args)
    where = template(settings.listens) if settings.listens else ""
    env = ({} if engine else base_env(argv[0])) | with_port(argv, env, where)
    return ServerSpec(
        name=server.name,
        command=Command(argv=argv, env=env, cwd=permitted(settings, profile_of(settings, config)).cwd or HOME),
        confinement=msgspec.structs.replace(confinement_of(settings, entry.roots, config), engine=engine),
        start_timeout=config.runtime.start_timeout_seconds,
        unsandboxed=settings.allow_unsandboxed,
        known_era=server.era or None,
        known_transport=server.transport,
        secrets=tuple(hidden.values()),
        listens=where,
        health=settings.health,
    )


def parted(entry: Entry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the beginning of the command line of what runs an entry's image (empty: it is a program), and the rest."""
    if entry.runtime != CONTAINER:
        return (), entry.argv
    at = entry.argv.index("run")
    return entry.argv[:at], entry.argv[at + 1 :]


def base_env(program: str) -> dict[str, str]:
    """Return what every server gets; the program's own directory comes first in PATH."""
    own = str(PurePosixPath(program).parent)
    path = dict.fromkeys(([own] if own.startswith("/") else []) + list(_PATH))
    return {
        "PATH": ":".join(path),
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "TMPDIR": TMP,
        "USER": "mcp",
        "LOGNAME": "mcp",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
    }


def network_of(granted: Settings) -> Network:
    """Return what a server may reach: nothing, the hosts that were named, or (``*``) all that the machine reaches.

    ``granted`` are its settings with what its permission profile grants. Raises :class:`BadArgument` for a host that
    cannot be read.
    """
    if granted.whole_network:
        return MachineNetwork()
    return allow_list(granted.hosts) or NoNetwork()


def confinement_of(given: Settings, roots: Iterable[str], config: Config) -> Confinement:
    """Return what the settings and their permission profile let a program touch, beside its own ``roots``.

    Raises :class:`UnknownPermissions` and :class:`BadArgument`.
    """
    profile = profile_of(given, config)
    settings, limits = permitted(given, profile), limited(config.sandbox, profile)
    return Confinement(
        read_only=tuple(dict.fromkeys(roots)),
        granted_read_only=tuple(path for path, writable in settings.paths if not writable),
        granted_writable=tuple(path for path, writable in settings.paths if writable),
        hidden=(str(config.home),),
        network=network_of(settings),
        listens=bool(settings.listens),
        memory_bytes=limits.memory_bytes,
        cpus=limits.cpus,
        processes=limits.processes,
        open_files=limits.open_files,
        scratch_bytes=limits.scratch_bytes,
        shared_memory_bytes=limits.shared_memory_bytes,
        home_bytes=limits.home_bytes,
    )
