"""Reads the manifest of a bundle. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from vsm_mcp.errors import InstallFailed

VERSIONS: Final = ("0.1", "0.2", "0.3", "0.4")
NAME: Final = "manifest.json"
_HINT: Final = "ask its publisher for a bundle that follows the format"
_Short = Annotated[str, Meta(max_length=4096)]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How a bundle is started; of an override, what it leaves open is that of the whole."""

    command: _Short = ""
    args: tuple[_Short, ...] | None = None
    env: dict[str, _Short] = {}
    platform_overrides: dict[str, Command] = {}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What runs the server; ``mcp_config`` may be missing for ``uv``."""

    type: Literal["node", "python", "binary", "uv"]
    entry_point: _Short = ""
    mcp_config: Command | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One value that whoever installs the bundle is asked for."""

    type: Literal["string", "number", "boolean", "directory", "file"] = "string"
    title: _Short = ""
    description: _Short = ""
    required: bool = False
    default: str | float | bool | list[str] | None = None
    multiple: bool = False
    sensitive: bool = False
    min: float | None = None
    max: float | None = None

    @property
    def is_path(self) -> bool:
        """Whether its value names something of this machine."""
        return self.type in {"directory", "file"}


class Compatibility(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bundle runs: names of ``sys.platform``, and ranges of versions of node and Python."""

    platforms: tuple[str, ...] = ()
    runtimes: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What of a manifest has to do with installing and starting; ``document`` is all of it."""

    name: _Short
    version: Annotated[str, Meta(max_length=128)]
    server: Server
    manifest_version: str = ""
    dxt_version: str = ""
    compatibility: Compatibility = Compatibility()
    user_config: dict[str, Question] = {}
    document: dict[str, Any] = {}


def read_manifest(data: bytes, name: str) -> Manifest:
    """Read a manifest. Raises :class:`InstallFailed`, which names the field that does not follow the format."""
    try:
        document = msgspec.json.decode(data)
        manifest = msgspec.convert(document, Manifest, strict=True)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InstallFailed(f"the {NAME} of {name} cannot be used: {error}", _HINT) from error
    version = manifest.manifest_version or manifest.dxt_version
    if version not in VERSIONS:
        raise InstallFailed(
            f"{name} follows version {version[:20]!r} of the bundle format, which is not known here",
            f"known are {', '.join(VERSIONS)}",
        )
    entry = manifest.server.entry_point
    if entry.startswith("/") or ".." in re.split(r"[/\\]", entry):
        raise InstallFailed(f"{name} has its program outside of the bundle: {entry[:80]!r}", "do not install it")
    return msgspec.structs.replace(manifest, document=document)


def command_of(manifest: Manifest, platform: str) -> Command:
    """Return how the bundle is started on a platform (a name of ``sys.platform``)."""
    whole = manifest.server.mcp_config or Command()
    own: Mapping[str, Command] = whole.platform_overrides
    other = own.get(platform) or Command()
    return Command(
        command=other.command or whole.command,
        args=(whole.args or ()) if other.args is None else other.args,
        env={**whole.env, **other.env},
    )
