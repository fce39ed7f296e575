"""What a check saw, and what follows from it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """What a finding asks for: ``block`` rejects, ``review`` wants a person, ``note`` is only recorded."""

    NOTE = "note"
    REVIEW = "review"
    BLOCK = "block"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a check saw: ``rule`` is its stable id, ``where`` a file, tool or field, ``text`` for a person."""

    rule: str
    where: str
    severity: Severity
    text: str


class CheckStatus(StrEnum):
    """The three answers of a check; *unavailable* never counts as pass."""

    PASS = "pass"
    FAIL = "fail"
    UNAVAILABLE = "unavailable"


class CodeProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a version's code can do (``capabilities``, in words) and the mail addresses and hosts written in it.

    It is kept with the evidence, so that a later version can be compared with it.
    """

    capabilities: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """A check's answer with how much it ``looked_at`` (a count of ``unit``) and what it found.

    ``needed`` is off for an unavailable one whose source this machine never had; only ``strict`` insists on it.
    ``profile`` is what the check of the code says of this version, for comparison with another one.
    """

    check: str
    status: CheckStatus
    looked_at: int
    unit: str
    findings: tuple[Finding, ...] = ()
    detail: str = ""
    needed: bool = True
    profile: CodeProfile | None = None


class Judgement(StrEnum):
    """What the checks amount to under a profile."""

    ADMIT = "admit"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class VetReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one candidate and the judgement they amount to, with the reasons."""

    judgement: Judgement
    checks: tuple[CheckResult, ...]
    reasons: tuple[str, ...] = ()
