"""TOML and environment → one frozen Config; the only reader of ``os.environ`` in the product.

``$VSM_MCP_HOME/vsm-mcp.toml`` holds one table per section below, and as many as wanted of a section that has a NAME; a
file is not needed. Any field can be given as ``VSM_MCP_<SECTION>_<FIELD>`` in the environment, which wins over the
file. Every field is documented in ``docs/reference/settings.md``; a test compares the two.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta

from vsm_mcp.errors import ConfigError
from vsm_mcp.model.auth import Auth
from vsm_mcp.model.autopilot_settings import AutopilotSettings
from vsm_mcp.model.discovery import Discovery
from vsm_mcp.model.health_settings import HealthSettings
from vsm_mcp.model.installing import Install
from vsm_mcp.model.permissions import BUILT_IN, NAMED_PATHS, Permissions, with_built_in
from vsm_mcp.model.policy_settings import AUTONOMY
from vsm_mcp.model.policy_settings import Policy as Policy  # noqa: PLC0414 - it is one of the sections
from vsm_mcp.model.profile import Profile
from vsm_mcp.model.rollout_settings import RolloutSettings
from vsm_mcp.model.routing_settings import FAILOVERS, RoutingSettings
from vsm_mcp.model.telemetry_settings import TelemetrySettings
from vsm_mcp.model.vetting import ASKING, Vetting
from vsm_mcp.model.wants import Appraising, Priority

Kind = TypeVar("Kind", bound=msgspec.Struct)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Root of the sections."""


class Gateway(Section, frozen=True, kw_only=True):
    """``[gateway]``: the one MCP endpoint."""

    host: Annotated[
        str, Meta(description="The address to listen on; other machines reach it with a key or a token only.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(description="The port of the endpoint; 0 takes a free one.")] = 8765
    max_body_bytes: Annotated[int, Meta(description="The largest request body, in bytes.")] = 16 * 1024 * 1024
    max_sessions: Annotated[int, Meta(description="The most sessions of older clients at a time.")] = 10_000
    session_idle_seconds: Annotated[float, Meta(description="How long an unused session is kept.")] = 1800.0
    call_timeout_seconds: Annotated[
        float, Meta(description="How long one call may take; progress of the server begins it anew.")
    ] = 300.0
    call_limit_seconds: Annotated[
        float, Meta(description="How long one call may take in all, whatever progress it makes or questions it asks.")
    ] = 3600.0
    allowed_hosts: Annotated[tuple[str, ...], Meta(description="Host headers accepted besides loopback names.")] = ()
    allowed_origins: Annotated[tuple[str, ...], Meta(description="Origin headers accepted besides loopback ones.")] = ()
    mode: Annotated[
        str,
        Meta(description="What the list of tools holds: all tools, search (the tools that find tools), or auto."),
    ] = "auto"
    tool_limit: Annotated[int, Meta(description="With mode auto: the most tools that are listed one by one.")] = 60
    acquire: Annotated[
        bool, Meta(description="Whether agents may ask for new capabilities, as far as the policy lets them.")
    ] = True
    hidden_prompts: Annotated[str, Meta(description="Prompts that hide characters: refuse or pass.")] = "refuse"


class Sandbox(Section, frozen=True, kw_only=True):
    """``[sandbox]``: the limits of one server's processes."""

    least_tier: Annotated[str, Meta(description="Least isolation of a server: full, full-soft, reduced.")] = "reduced"
    memory_bytes: Annotated[int, Meta(description="Memory of one server with all its processes.")] = 512 * 1024 * 1024
    build_memory_bytes: Annotated[int, Meta(description="Memory of an install script.")] = 2 * 1024 * 1024 * 1024
    cpus: Annotated[float, Meta(ge=0, description="CPU of one server after its start, in cores; 0: no limit.")] = 1.0
    processes: Annotated[int, Meta(description="Processes and threads of one server; a browser needs some 200.")] = 256
    open_files: Annotated[int, Meta(description="Open files of one process.")] = 1024
    scratch_bytes: Annotated[int, Meta(description="Size of the private /tmp and home, each.")] = 64 * 1024 * 1024
    shared_memory_bytes: Annotated[int, Meta(description="Size of the private /dev/shm.")] = 64 * 1024 * 1024
    home_bytes: Annotated[int, Meta(description="Size of a home that is kept.")] = 1024 * 1024 * 1024


class Runtime(Section, frozen=True, kw_only=True):
    """``[runtime]``: processes and their supervision."""

    start_timeout_seconds: Annotated[float, Meta(description="How long a start with its handshake may take.")] = 30.0
    stop_grace_seconds: Annotated[
        float, Meta(description="How long a server may take to stop before it is killed.")
    ] = 2.0
    request_timeout_seconds: Annotated[
        float, Meta(description="How long a listing or another request of ours may take.")
    ] = 60.0
    relist_seconds: Annotated[
        float, Meta(ge=0, description="How often a server in use is asked again what it offers, unasked; 0: never.")
    ] = 60.0
    max_line_bytes: Annotated[int, Meta(description="The longest message a server may send.")] = 32 * 1024 * 1024
    starts_at_once: Annotated[int, Meta(description="How many processes are started at a time.")] = 4
    lazy: Annotated[
        bool, Meta(description="Whether servers are started by their first call instead of with the daemon.")
    ] = False
    idle_stop_seconds: Annotated[
        float, Meta(description="How long a server stays up without a call or a subscription; 0: for ever.")
    ] = 0.0
    instances_per_server: Annotated[
        int, Meta(ge=1, description="The most sessions at a time that get a process of a stateful server each.")
    ] = 8
    session_idle_seconds: Annotated[
        float, Meta(description="How long a session's process stays up without a call; 0: as long as the session.")
    ] = 600.0
    restart_limit: Annotated[int, Meta(description="Restarts within the period after which a server is given up.")] = 5
    restart_period_seconds: Annotated[float, Meta(description="The period for restart_limit.")] = 60.0
    log_bytes: Annotated[int, Meta(description="The size at which the log of a server is rotated.")] = 5 * 1024 * 1024
    drain_seconds: Annotated[
        float, Meta(description="How long calls in flight may go on when a server is started anew for new settings.")
    ] = 30.0
    watch_seconds: Annotated[
        float,
        Meta(description="How often the files of settings are looked at for changes; 0: never, SIGHUP reads them."),
    ] = 5.0


class Log(Section, frozen=True, kw_only=True):
    """``[log]``: what the daemon writes about itself."""

    level: Annotated[str, Meta(description="debug, info, warning or error.")] = "info"
    format: Annotated[str, Meta(description="text for people, json for machines.")] = "text"
    calls: Annotated[str, Meta(description="Calls that get a line of their own: off, failed or all.")] = "off"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one home, and the environment that tools of this machine need.

    ``home`` is absolute. ``environ`` is the process environment at load time, for finding tools and registries; it
    is never handed to a server.
    """

    home: Path
    gateway: Gateway = Gateway()
    auth: Auth = Auth()
    policy: Policy = Policy()
    vetting: Vetting = Vetting()
    sandbox: Sandbox = Sandbox()
    runtime: Runtime = Runtime()
    discovery: Discovery = Discovery()
    appraisal: Appraising = Appraising()
    install: Install = Install()
    rollout: RolloutSettings = RolloutSettings()
    routing: RoutingSettings = RoutingSettings()
    health: HealthSettings = HealthSettings()
    autopilot: AutopilotSettings = AutopilotSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    log: Log = Log()
    profiles: Mapping[str, Profile] = {}
    permissions: Mapping[str, Permissions] = BUILT_IN
    environ: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Config(home={str(self.home)!r})"


class External(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for plug-ins with an external server behind them, from the environment alone.

    ``timeout`` (``EXTERNAL_MCP_TIMEOUT``) is how many seconds one attempt may take, ``max_retries``
    (``EXTERNAL_MCP_MAX_RETRIES``) how many follow the first.
    """

    timeout: Annotated[float, Meta(gt=0, le=86_400)] = 30.0
    max_retries: Annotated[int, Meta(ge=0, le=100)] = 3


SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "gateway": Gateway,
    "auth": Auth,
    "policy": Policy,
    "vetting": Vetting,
    "sandbox": Sandbox,
    "runtime": Runtime,
    "discovery": Discovery,
    "appraisal": Appraising,
    "install": Install,
    "rollout": RolloutSettings,
    "routing": RoutingSettings,
    "health": HealthSettings,
    "autopilot": AutopilotSettings,
    "telemetry": TelemetrySettings,
    "log": Log,
}
NAMED: Final[dict[str, type[msgspec.Struct]]] = {"profiles": Profile, "permissions": Permissions}
"""Sections of which there are any number, each under a name of its own: ``[profiles.NAME]``."""

PIN_RULES: Final = ("ask", "deny", "allow")
_CHOICES: Final = {
    ("appraisal", "priority"): tuple(Priority),
    ("auth", "mode"): ("auto", "none", "keys", "oauth"),
    ("gateway", "hidden_prompts"): ("refuse", "pass"),
    ("gateway", "mode"): ("all", "search", "auto"),
    ("profiles", "mode"): ("all", "search", "auto", None),
    ("policy", "autonomy"): AUTONOMY,
    ("permissions", "named_paths"): NAMED_PATHS,
    ("policy", "profile"): ("strict", "standard", "lax"),
    ("vetting", "required"): ASKING,
    ("sandbox", "least_tier"): ("full", "full-soft", "reduced"),
    ("discovery.research", "api"): ("openai", "anthropic"),
    ("install", "container_engine"): ("auto", "podman", "docker"),
    ("routing", "failover"): FAILOVERS,
    ("log", "level"): ("debug", "info", "warning", "error"),
    ("log", "format"): ("text", "json"),
    ("log", "calls"): ("off", "failed", "all"),
    **{("policy", f"{when}_{what}"): PIN_RULES for when in ("changed", "new") for what in ("items", "resources")},
}
_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")
PREFIX: Final = "VSM_MCP_"


def default_home(environ: Mapping[str, str]) -> Path:
    """Return ``$VSM_MCP_HOME``, or the platform's data directory for ``vsm-mcp``."""
    given = environ.get("VSM_MCP_HOME", "")
    return Path(given).expanduser().absolute() if given else Path(platformdirs.user_data_dir("vsm-mcp", False))


def load(home: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the settings of ``home`` (default: :func:`default_home`).

    Raises :class:`ConfigError`, naming the file and the field, when something cannot be used.
    """
    environ = dict(os.environ if environ is None else environ)
    home = home.absolute() if home is not None else default_home(environ)
    tables = _read(home / "vsm-mcp.toml")
    sections: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        sections[name] = _section(tables.pop(name, {}), name, kind, environ)
    for name, named in NAMED.items():
        sections[name] = _named(tables.pop(name, {}), name, named, environ)
    if tables:
        known = [*SECTIONS, *(f"{name}.NAME" for name in NAMED)]
        raise ConfigError(f"vsm-mcp.toml: unknown section [{min(tables)}]", f"sections are {', '.join(known)}")
    sections["permissions"] = with_built_in(sections["permissions"])
    config = Config(home=home, environ=environ, **sections)
    _check(config)
    return config


def external(environ: Mapping[str, str] | None = None) -> External:
    """Read what holds for plug-ins. Raises :class:`ConfigError`, naming the variable."""
    environ = os.environ if environ is None else environ
    given: dict[str, Any] = {}
    for field in External.__struct_fields__:
        name = f"EXTERNAL_MCP_{field}".upper()
        if name in environ:
            given[field] = _from_text(environ[name], get_type_hints(External, include_extras=True)[field], name)
    return External(**given)


def _section(table: Any, section: str, kind: type[Kind], environ: Mapping[str, str]) -> Kind:
    if not isinstance(table, dict):
        raise ConfigError(f"vsm-mcp.toml: {section} is no table", f"write it as [{section}]")
    try:
        return msgspec.convert(_override(table, section, kind, environ), kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"vsm-mcp.toml: [{section}] {error}", "docs/reference/settings.md lists every field"
        ) from error


def _named(tables: Any, section: str, kind: type[Kind], environ: Mapping[str, str]) -> dict[str, Kind]:
    if not isinstance(tables, dict):
        raise ConfigError(f"vsm-mcp.toml: {section} is no table", f"write it as [{section}.NAME]")
    for name in tables:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"vsm-mcp.toml: [{section}.{name}] has a name that cannot be used",
                "a name has 1 to 32 of the characters a-z, 0-9 and -",
            )
    return {name: _section(table, f"{section}.{name}", kind, environ) for name, table in tables.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "mend the file or move it away") from error


def _override(
    table: Mapping[str, Any], section: str, kind: type[msgspec.Struct], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the table with what the environment says of its fields; a field may be a section of its own."""
    given, prefix = dict(table), variable(section, "")
    if not any(name.startswith(prefix) for name in environ):
        return given  # as nearly always: reading what type each field is of takes longer than all the rest
    for field, annotation in get_type_hints(kind).items():
        name = variable(section, field)
        if below(annotation):
            inner = given.get(field, {})
            given[field] = _override(inner, f"{section}.{field}", annotation, environ) if _is_table(inner) else inner
            continue
        if name in environ:
            given[field] = _from_text(environ[name], annotation, name)
    return given


def below(annotation: Any) -> bool:
    """Return whether a field of this type is a section below its section: ``[discovery.github]``."""
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def variable(section: str, field: str) -> str:
    """Return the name of the environment variable for a field; ``section`` may be ``profiles.NAME``."""
    return re.sub("[.-]", "_", f"{PREFIX}{section}_{field}").upper()


def _from_text(text: str, annotation: Any, name: str) -> Any:
    if get_origin(annotation) is tuple and get_args(annotation)[0] is str:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    given: Any = text
    if get_origin(annotation) is dict:
        pairs = (part.partition("=") for part in text.split(",") if part.strip())
        given = {key.strip(): value.strip() for key, _, value in pairs}
    try:
        return msgspec.convert(given, annotation, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {error}", "docs/reference/settings.md lists every field") from error


def _check(config: Config) -> None:
    for title, kind, section in _all(config):
        for field, value in msgspec.structs.asdict(section).items():
            choices = _CHOICES.get((kind, field))
            if choices is not None and not {*(value if isinstance(value, tuple) else (value,))} <= {*choices}:
                raise ConfigError(f"[{title}] {field} is {value!r}", f"it is one of {', '.join(filter(None, choices))}")
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
                raise ConfigError(f"[{title}] {field} is {value}", "it cannot be negative")


def _all(config: Config) -> Iterator[tuple[str, str, msgspec.Struct]]:
    """Yield every section with its title and its kind."""
    for name in SECTIONS:
        yield from _with_those_below(name, getattr(config, name))
    for kind in NAMED:
        for name, section in getattr(config, kind).items():
            yield f"{kind}.{name}", kind, section


def _with_those_below(title: str, section: msgspec.Struct) -> Iterator[tuple[str, str, msgspec.Struct]]:
    yield title, title, section
    for field in section.__struct_fields__:
        value = getattr(section, field)
        if isinstance(value, msgspec.Struct):
            yield from _with_those_below(f"{title}.{field}", value)
