"""Permission profiles: named sets of grants. What one does not name, it does not grant."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from vsm_mcp.errors import ConfigError

PROJECT: Final = "."
"""Stands, in the paths of a profile, for the project directory; ``./docs`` for what lies in it."""

NAMED_PATHS: Final = ("none", "read", "write")
"""What becomes of a path that an argument or a variable of the server merely names."""

_MEBIBYTE: Final = 1024 * 1024
_Count = Annotated[int, Meta(ge=1)]


class Permissions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[permissions.NAME]``: what a server gets that is added with ``--permissions NAME``.

    NAME is as in ``[profiles.NAME]``, but none of those built in: ``none``, ``read-only``, ``project``, ``browser``.
    What the options give by hand is added. A limit takes the place of the one in ``[sandbox]``. A profile is read
    whenever a server is started.
    """

    description: Annotated[str, Meta(description="What it is for, in a line; it is shown with the plan.")] = ""
    paths: Annotated[
        tuple[str, ...],
        Meta(description="Paths as `--allow-path` takes them; `.` is the project directory, `./x` lies in it."),
    ] = ()
    hosts: Annotated[tuple[str, ...], Meta(description="Hosts as `--allow-host` takes them.")] = ()
    named_paths: Annotated[
        str, Meta(description="Whether paths that arguments merely name are opened: none, read or write.")
    ] = "none"
    memory_bytes: Annotated[_Count | None, Meta(description="Not set: as in `[sandbox]`; so are the next.")] = None
    cpus: Annotated[Annotated[float, Meta(ge=0)] | None, Meta(description="CPU, in cores; 0: no limit.")] = None
    processes: Annotated[_Count | None, Meta(description="Processes and threads.")] = None
    open_files: Annotated[_Count | None, Meta(description="Open files of one process.")] = None
    scratch_bytes: Annotated[_Count | None, Meta(description="Size of the private /tmp and home, each.")] = None
    shared_memory_bytes: Annotated[_Count | None, Meta(description="Size of the private /dev/shm.")] = None
    home_bytes: Annotated[_Count | None, Meta(description="Size of a home that is kept.")] = None

    def granted(self) -> tuple[tuple[str, bool], ...]:
        """Return the paths as written, each with whether it may be written to."""
        return tuple((path.removesuffix(":rw").removesuffix(":ro"), path.endswith(":rw")) for path in self.paths)

    @property
    def wants_project(self) -> bool:
        """Whether it grants the project directory or something in it."""
        return any(in_project(path) for path, _ in self.granted())

    def limits(self) -> dict[str, float]:
        """Return the limits that it names, by the names of ``[sandbox]``."""
        named = {field: getattr(self, field) for field in LIMITS}
        return {field: limit for field, limit in named.items() if limit is not None}


LIMITS: Final = (
    *("memory_bytes", "cpus", "processes", "open_files"),
    *("scratch_bytes", "shared_memory_bytes", "home_bytes"),
)


def in_project(path: str) -> bool:
    """Whether a path of a profile is the project directory or lies in it."""
    return path == PROJECT or path.startswith(f"{PROJECT}/")


BUILT_IN: Final[Mapping[str, Permissions]] = MappingProxyType(
    {
        "none": Permissions(description="nothing but what is given by hand"),
        "read-only": Permissions(
            description="the project directory and the paths it is told of, to read", paths=(".",), named_paths="read"
        ),
        "project": Permissions(description="the project directory, to read and write", paths=(".:rw",)),
        "browser": Permissions(
            description="room for a browser; the hosts it may visit are given by hand",
            memory_bytes=2048 * _MEBIBYTE,
            cpus=2.0,
            processes=1024,
            open_files=4096,
            scratch_bytes=512 * _MEBIBYTE,
            shared_memory_bytes=512 * _MEBIBYTE,
        ),
    }
)


def with_built_in(own: Mapping[str, Permissions]) -> dict[str, Permissions]:
    """Return all profiles. Raises :class:`ConfigError` for one that has a name or a path that cannot be used."""
    for name, profile in own.items():
        title = f"vsm-mcp.toml: [permissions.{name}]"
        if name in BUILT_IN:
            raise ConfigError(f"{title} is built in", "give it another name")
        for path, _ in profile.granted():
            if not path.startswith("/") and not in_project(path):
                raise ConfigError(
                    f"{title} paths: {path!r} is not absolute", "write it from / or, in the project, from ."
                )
            if ".." in path.split("/"):
                raise ConfigError(f"{title} paths: {path!r} leads out of itself", "write it without ..")
    return {**BUILT_IN, **own}
