"""What becomes of servers: their processes, their definitions, their versions."""

from __future__ import annotations

from vsm_mcp.events.event import Event


class ServerStarted(Event, frozen=True, tag=True):
    """A process of a server runs and its handshake is done; ``session`` names the one it belongs to, if to one only."""

    server: str
    pid: int
    era: str
    tier: str
    seconds: float
    session: str = ""


class ConsentAsked(Event, frozen=True, tag=True):
    """A person was asked to visit ``url`` and to agree there that we call a server."""

    server: str
    url: str


class ServerStopped(Event, frozen=True, tag=True):
    """A process of a server (that of one ``session``, where given) ended because we asked it to."""

    server: str
    reason: str
    session: str = ""


class ServerCrashed(Event, frozen=True, tag=True):
    """A process of a server (that of one ``session``, where given) ended by itself, or never came up."""

    server: str
    reason: str
    session: str = ""


class GaveUp(Event, frozen=True, tag=True):
    """An algedonic signal: a server failed too often and is not restarted any more (for one ``session``, if given)."""

    server: str
    reason: str
    session: str = ""


class HealthChecked(Event, frozen=True, tag=True):
    """What runs of a server was asked for a sign of life; ``detail`` says what it answered, or what is wrong."""

    server: str
    ok: bool
    seconds: float
    detail: str


class ServerFoundStateful(Event, frozen=True, tag=True):
    """A server was seen to need a process for each client session, and gets them from now on."""

    server: str


class CpuLimitReached(Event, frozen=True, tag=True):
    """A server has used all the CPU it may have (``cores``) for a while; where that is enforced, its calls wait for it.

    Told once, until it has used less again.
    """

    server: str
    cores: float


class ContactRefused(Event, frozen=True, tag=True):
    """A server reached for a host it may not reach; ``grant`` is the value of ``--allow-host`` that would allow it.

    Told once a minute for each host, port and reason.
    """

    server: str
    host: str
    port: int
    reason: str
    grant: str = ""


class ToolsChanged(Event, frozen=True, tag=True):
    """What a server offers (tools, resources, prompts) changed."""

    server: str


class PinChanged(Event, frozen=True, tag=True):
    """An algedonic signal: a definition differs from its approved hash; the item is frozen."""

    server: str
    item: str


class PinsApproved(Event, frozen=True, tag=True):
    """Items of a server were approved as they are now: by a person, or by vetting where the policy lets it."""

    server: str
    items: tuple[str, ...]


class LockNotWritten(Event, frozen=True, tag=True):
    """The fleet changed, but ``vsm-mcp.lock`` could not be written; the one there was is as it was."""

    reason: str


class ServerAdded(Event, frozen=True, tag=True):
    """A server entered the catalogue."""

    server: str
    ref: str


class ServerUpgraded(Event, frozen=True, tag=True):
    """Another version of a server took the place of the one in service."""

    server: str
    before: str
    after: str


class ServerRolledBack(Event, frozen=True, tag=True):
    """The previous version of a server is in service again; ``reason`` is empty where a person asked for it."""

    server: str
    before: str
    after: str
    reason: str = ""


class ServerRemoved(Event, frozen=True, tag=True):
    """A server left the catalogue."""

    server: str
