"""Every fact that can be published: frozen, in the past tense, primitive fields only.

Kernels take an ``emit`` callable and never log; logging, journal, progress on a terminal, metrics and the event
stream subscribe. ``to_dict`` gives the wire form: ``{"event": "StepStarted", …fields}``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Root of all events; the tag is the class name."""

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready primitives, tag included."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


Emit = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Drop an event: the ``emit`` of whoever has no listener."""


# --- acquisition ---------------------------------------------------------------------------------------------------


class AcquisitionStarted(Event, frozen=True, tag=True):
    """An acquisition began; ``subject`` is the need or the reference."""

    acquisition: str
    subject: str


class StepStarted(Event, frozen=True, tag=True):
    """A step of an acquisition began (``resolve``, ``fetch``, ``vet``, ``build``, ``trial``, ``activate``)."""

    acquisition: str
    step: str
    detail: str = ""


class StepFinished(Event, frozen=True, tag=True):
    """A step of an acquisition ended well after ``seconds``."""

    acquisition: str
    step: str
    seconds: float
    detail: str = ""


class StepFailed(Event, frozen=True, tag=True):
    """A step of an acquisition failed; ``code`` is the error's."""

    acquisition: str
    step: str
    code: str
    message: str


class SandboxPlanned(Event, frozen=True, tag=True):
    """What a server may see and reach (``model.sandbox_plan``), said before it is started for the first time."""

    acquisition: str
    plan: dict[str, Any]


class StepUndone(Event, frozen=True, tag=True):
    """The effects of a step were taken back."""

    acquisition: str
    step: str


class UndoFailed(Event, frozen=True, tag=True):
    """An algedonic signal: the effects of a step could not be taken back."""

    acquisition: str
    step: str
    message: str


class RemedyApplied(Event, frozen=True, tag=True):
    """A failure with a known cause is mended and tried again."""

    acquisition: str
    remedy: str
    reason: str


class CandidateRejected(Event, frozen=True, tag=True):
    """A candidate fell out of an acquisition; the next one is tried."""

    acquisition: str
    ref: str
    code: str
    message: str


class AcquisitionFinished(Event, frozen=True, tag=True):
    """An acquisition ended: ``served``, ``quarantined``, ``rejected`` or ``failed``; ``code`` is that of the reason."""

    acquisition: str
    outcome: str
    server: str = ""
    code: str = ""


class Ranked(Event, frozen=True, tag=True):
    """Candidates were ranked; ``rows`` holds (ref, score, first reason) of the best ones."""

    need: str
    rows: tuple[tuple[str, float, str], ...]


class CandidatesLeftOut(Event, frozen=True, tag=True):
    """Candidates for a need do not meet what is required; ``reasons`` says which requirement left out how many."""

    need: str
    count: int
    reasons: str


# --- discovery -----------------------------------------------------------------------------------------------------


class SourceAnswered(Event, frozen=True, tag=True):
    """A source answered with ``count`` candidates after ``seconds``; ``state`` is ok, stale, unavailable or off."""

    source: str
    state: str
    count: int
    seconds: float
    detail: str = ""


class SourceRefreshed(Event, frozen=True, tag=True):
    """What a source keeps on this machine was brought up to date (``state`` is ok), or could not be (unavailable)."""

    source: str
    state: str
    seconds: float
    detail: str = ""


# --- servers -------------------------------------------------------------------------------------------------------


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


# --- the daemon ----------------------------------------------------------------------------------------------------


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
    """Policy decided on an action: ``verdict`` is allow, ask or deny."""

    action: str
    subject: str
    verdict: str
    rule: str


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
