"""The operations of the control API and the command line: their parameters, checked before anything is done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from vsm_mcp.errors import BadArgument
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.principal import Grant
from vsm_mcp.model.wants import ANYTHING, Wants


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """``search``: a need, how many candidates to return, and what is wanted of them besides."""

    need: str
    limit: int = 10
    wants: Wants = ANYTHING


class Acquire(msgspec.Struct, frozen=True, kw_only=True):
    """``acquire``: a need, what was given for the server, whether a person agreed, what is wanted besides."""

    need: str
    settings: Settings = Settings()
    name: str = ""
    yes: bool = False
    tries: int = 3
    wants: Wants = ANYTHING


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """``add``: a reference, what was given for the server, whether a person agreed, and the kit it comes with."""

    ref: str
    settings: Settings = Settings()
    name: str = ""
    yes: bool = False
    kit: str = ""


class Vet(msgspec.Struct, frozen=True, kw_only=True):
    """``vet``: a reference to judge without admitting it; as it is, or as if its install scripts were let run."""

    ref: str
    allow_scripts: bool = False


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """``inspect``, ``start``, ``stop``, ``restart``, ``rollback``: a server; ``key_revoke``: a key."""

    name: str


class Remove(msgspec.Struct, frozen=True, kw_only=True):
    """``remove``: a server; whether its home goes with it, where one was kept."""

    name: str
    delete_home: bool = False


class Approve(msgspec.Struct, frozen=True, kw_only=True):
    """``approve``, ``deny``: a server or the id of what waits; the frozen items meant (none: all that wait)."""

    name: str
    items: tuple[str, ...] = ()


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """``upgrade``: the servers, or ``everything``; ``to`` is the version wanted of one; whether a person agreed.

    ``at_once``: without stages.
    """

    names: tuple[str, ...] = ()
    everything: bool = False
    to: str = ""
    yes: bool = False
    at_once: bool = False


class RolloutStart(msgspec.Struct, frozen=True, kw_only=True):
    """``rollout_start``: the server that shall stand in for which other, for which of its tools (none named: all)."""

    rival: str
    server: str
    tools: tuple[str, ...] = ()


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """``bulk``: what to do with which servers (or with ``everything``), and with how many at a time (0: ten)."""

    what: Literal["start", "stop", "restart", "health"]
    names: tuple[str, ...] = ()
    everything: bool = False
    at_once: Annotated[int, msgspec.Meta(ge=0)] = 0


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """``login``: a server or its URL, and the port on loopback that the browser comes back to (0: any)."""

    server: str
    port: int = 0


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """``tools``: a query (empty for all), how many to return, and of which profile (empty: of all)."""

    query: str = ""
    limit: int = 200
    profile: str = ""


class CapabilitiesOf(msgspec.Struct, frozen=True, kw_only=True):
    """``capabilities``: a query and a server (empty for all), whether to compare tools, how many items to return."""

    query: str = ""
    server: str = ""
    stand_ins: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1)] = 200


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """``call``: an exposed tool name; ``arguments`` as JSON, ``typed`` as text to be read by the tool's schema."""

    tool: str
    arguments: dict[str, Any] = {}
    typed: dict[str, str] = {}


class KeyCreate(msgspec.Struct, frozen=True, kw_only=True):
    """``key_create``: the name of a key, and what it grants."""

    name: str
    grant: Grant = Grant()


class EvidenceOf(msgspec.Struct, frozen=True, kw_only=True):
    """``evidence``: the id of an acquisition."""

    acquisition: str


class JournalOf(msgspec.Struct, frozen=True, kw_only=True):
    """``journal``: how many entries, and which (see :class:`vsm_mcp.store.journal.Wanted`)."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    actor: str = ""
    action: str = ""
    verdict: Literal["", "allow", "ask", "deny"] = ""
    subject: str = ""
    since: float = 0.0
    before: Annotated[int, msgspec.Meta(ge=0)] = 0


class Set(msgspec.Struct, frozen=True, kw_only=True):
    """``set``: a server, the ``fields`` of ``settings`` to give it, those to ``clear`` first, if a person agreed."""

    name: str
    settings: Settings = Settings()
    fields: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    yes: bool = False


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """``trial``: a reference or the name of a server, and what is given to a reference for it."""

    ref: str
    settings: Settings = Settings()


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """``export``: the servers to write down (none named: all)."""

    names: tuple[str, ...] = ()


class LockVerify(msgspec.Struct, frozen=True, kw_only=True):
    """``lock_verify``: a lock as it is written in its file."""

    document: str


class LockInstall(msgspec.Struct, frozen=True, kw_only=True):
    """``lock_install``: one server of a lock, with the settings that follow from it, and whether a person agreed."""

    name: str
    locked: LockedServer
    settings: Settings = Settings()
    yes: bool = False


class GapsOf(msgspec.Struct, frozen=True, kw_only=True):
    """``gaps``: whether candidates are sought now, and how many needs to return of each kind."""

    look: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50


class NeedOf(msgspec.Struct, frozen=True, kw_only=True):
    """``allow_need``, ``deny_need``: a need in plain words."""

    need: Annotated[str, msgspec.Meta(max_length=500)]


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """``list``, ``status``, ``doctor``, ``reload``, ``lock``: no parameters."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """``conditions``: the servers that are meant (none named: all)."""

    names: tuple[str, ...] = ()


PARAMETERS: dict[str, type[msgspec.Struct]] = {
    "search": Search,
    "acquire": Acquire,
    "add": Add,
    "vet": Vet,
    "list": Nothing,
    "inspect": Named,
    "remove": Remove,
    "start": Named,
    "stop": Named,
    "restart": Named,
    "approve": Approve,
    "deny": Approve,
    "upgrade": Upgrade,
    "rollback": Named,
    "rollout_list": Nothing,
    "rollout_start": RolloutStart,
    "rollout_promote": Named,
    "rollout_hold": Named,
    "rollout_back": Named,
    "set": Set,
    "export": Export,
    "trial": Trial,
    "lock": Nothing,
    "lock_verify": LockVerify,
    "lock_install": LockInstall,
    "reload": Nothing,
    "bulk": Bulk,
    "conditions": Conditions,
    "login": Login,
    "tools": Tools,
    "capabilities": CapabilitiesOf,
    "call": Call,
    "key_create": KeyCreate,
    "key_list": Nothing,
    "key_revoke": Named,
    "evidence": EvidenceOf,
    "journal": JournalOf,
    "gaps": GapsOf,
    "allow_need": NeedOf,
    "deny_need": NeedOf,
    "status": Nothing,
    "doctor": Nothing,
}
CHANGING = frozenset(
    {"acquire", "add", "vet", "remove", "approve", "start", "stop", "restart", "bulk", "login", "key_create"}
    | {"key_revoke", "set", "reload", "deny", "upgrade", "rollback", "trial", "lock", "lock_install"}
    | {"rollout_start", "rollout_promote", "rollout_hold", "rollout_back"}
    | {"allow_need", "deny_need"}
)
"""Operations that change what a home holds: one process at a time may do them."""


def read(operation: str, body: bytes) -> msgspec.Struct:
    """Read the parameters of an operation. Raises :class:`BadArgument` naming the field."""
    kind = PARAMETERS.get(operation)
    if kind is None:
        raise BadArgument(f"there is no operation {operation!r}", f"operations are {', '.join(sorted(PARAMETERS))}")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise BadArgument(f"{operation}: {error}", "see docs/reference/commands.md") from error
