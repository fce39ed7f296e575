"""What someone wants done, and what policy says to it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ActionKind(StrEnum):
    """Everything that changes what runs, and who may use it."""

    ACQUIRE = "acquire"
    ADD = "add"
    REMOVE = "remove"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    APPROVE = "approve"
    CREATE_KEY = "create_key"
    REVOKE_KEY = "revoke_key"
    CHANGE = "change"
    RELOAD = "reload"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    DENY = "deny"
    TRY = "try"
    REINSTALL = "reinstall"
    REPLACE = "replace"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One wish: what, on whom, by whom, and the facts policy needs to decide.

    ``facts`` hold primitive values (``ref``, ``kind``, ``publisher``, ``tier``, ``scripts``, ``network``,
    ``unsandboxed``, ``judgement``; of a change, what it adds, and ``widens`` where it adds anything).
    """

    kind: ActionKind
    subject: str
    actor: str
    facts: dict[str, str | bool | float] = {}


class Verdict(StrEnum):
    """The three answers of policy."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with the rule it comes from and the sentence that a person reads."""

    verdict: Verdict
    rule: str
    reason: str
