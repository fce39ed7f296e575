"""What becomes of the daemon, its settings and those who knock at its door."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class GatewayListening(Event, frozen=True, tag=True):
    """The endpoint accepts connections at ``address``."""

    address: str


class AccessRefused(Event, frozen=True, tag=True):
    """Somebody at ``address`` presented a key or a token that is not good; ``reason`` holds no part of it."""

    address: str
    reason: str


class AccessInClear(Event, frozen=True, tag=True):
    """Keys and tokens travel unencrypted to an address that other machines reach; ``hint`` says what to do."""

    address: str
    hint: str


class ActionDecided(Event, frozen=True, tag=True):
    """Policy decided on an action that ``actor`` wants: ``verdict`` is allow, ask or deny."""

    action: str
    subject: str
    verdict: str
    rule: str
    actor: str = ""


class Recovered(Event, frozen=True, tag=True):
    """An acquisition that a dead process left behind was finished or undone at start."""

    acquisition: str
    result: str


class SpaceFreed(Event, frozen=True, tag=True):
    """Old versions (``server/version``) and caches of so many bytes were removed, for nobody needs them."""

    versions: tuple[str, ...] = ()
    installations_bytes: int = 0
    cache_bytes: int = 0


class CleanedUp(Event, frozen=True, tag=True):
    """What nobody uses any more was removed: counts of groups, folders, sockets, logs and dead processes."""

    groups: int = 0
    folders: int = 0
    sockets: int = 0
    logs: int = 0
    processes: int = 0


class ConfigReloaded(Event, frozen=True, tag=True):
    """New settings are in force; ``restarted`` names the servers that were started anew for them.

    ``waiting`` names the settings that count from the next start of the daemon on.
    """

    source: str
    changed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


class ConfigRejected(Event, frozen=True, tag=True):
    """A file of settings cannot be used; the settings from before stay in force."""

    file: str
    reason: str
