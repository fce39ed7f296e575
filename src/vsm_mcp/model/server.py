"""The lasting name in the catalogue, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.retry import Retry


class ServerState(StrEnum):
    """What a server is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    GAVE_UP = "gave_up"
    QUARANTINED = "quarantined"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one version: ``path`` is absolute; ``packages`` maps each resolved package to its version.

    ``licence`` is what the package itself says, empty where it says nothing.
    """

    server: str
    ref: Ref
    version: str
    path: str
    entry: Entry
    packages: dict[str, str] = {}
    integrity: str = ""
    constraints: tuple[str, ...] = ()
    licence: str = ""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server in the catalogue: its installation, how it is launched, and whether it shall run.

    ``era`` (``modern``, ``legacy``) and ``transport`` (``stdio``, ``streamable-http``, ``http+sse``, …) are what the
    trial found; empty where nobody knows. ``observed_stateful`` says that it was seen to need a process for each client
    session, ``keeps_home`` that it is known to keep things in its home. ``origin`` is the mark of the entry of a file
    that asked for it, or of the kit that it came with; empty where a person or an agent asked. ``denied`` is what a
    person said no to: the key of an item and the hash of its definition then, or :attr:`whole` and the acquisition; a
    further change is another matter. ``way`` is what its trial found that it takes to start, beside what was ordered:
    its arguments are the first of ``args``, its address is in ``settings``.
    """

    name: str
    ref: Ref
    version: str
    installation: Installation
    settings: Settings
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    era: str = ""
    transport: str = ""
    enabled: bool = True
    quarantined: bool = False
    tags: tuple[str, ...] = ()
    description: str = ""
    acquisition: str = ""
    added: float = 0.0
    observed_stateful: bool = False
    keeps_home: bool = False
    origin: str = ""
    denied: dict[str, str] = {}
    way: Retry = Retry()

    def settings_with(self, secrets: Mapping[str, str]) -> Settings:
        """Return the settings as they are given: with arguments, variables and secrets, which are kept beside them."""
        return msgspec.structs.replace(self.settings, args=self.args, env=self.env, secrets=dict(secrets))

    @property
    def whole(self) -> str:
        """The key under which the server itself is denied."""
        return f"server:{self.name}"
