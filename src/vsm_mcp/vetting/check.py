"""The plug-in point ``vsm_mcp.checks``: what a check is given, what it is, and how checks are run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.model.candidate import PackageFacts
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.finding import CheckResult, CheckStatus, Finding, Severity
from vsm_mcp.model.granted import Granted
from vsm_mcp.model.locked import Locked
from vsm_mcp.model.ref import Ref
from vsm_mcp.registries.client import Registries

DEADLINE_SECONDS: Final = 60.0


class Stage(StrEnum):
    """When a check has what it looks at."""

    BEFORE_INSTALL = "before_install"
    AFTER_BUILD = "after_build"
    AFTER_TRIAL = "after_trial"


class Member(Protocol):
    """One entry of the fetched archive, as the archive itself declares it.

    ``name`` is the path inside the archive, unchanged; ``size`` in bytes; ``mode`` the Unix permission bits (0 where
    the archive has none); ``kind`` is ``file``, ``dir``, ``symlink``, ``hardlink``, ``device``, ``fifo`` or ``other``.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - said above
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def mode(self) -> int: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102


class Script(Protocol):
    """One install script: of which ``package``, its life-cycle ``name``, and the ``command`` it would run."""

    @property
    def package(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def command(self) -> str: ...  # noqa: D102


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there is to look at; what is not known yet is empty or ``None``.

    ``installed`` is the whole installation, once it is built. ``root`` is the unpacked top-level package and
    ``manifest`` its own metadata (``package.json``, or the core metadata of a wheel); ``scripts`` are the install
    scripts found anywhere in the tree, and ``runs_scripts`` says that they are allowed to run; ``offer`` what the trial
    saw; ``fleet`` maps the other servers of this home to the names of their tools. ``digest``
    (``algorithm:hex``) is the hash of the archive ``archive_name``; ``tree`` everything the installation
    takes, the package itself included; ``before`` the packages (name to version) of the version that is served now;
    ``granted`` what the server is given. ``registries`` is who can be asked; without, nobody is.
    """

    ref: Ref
    version: str = ""
    root: Path | None = None
    installed: Path | None = None
    members: tuple[Member, ...] = ()
    manifest: Mapping[str, Any] = {}
    scripts: tuple[Script, ...] = ()
    runs_scripts: bool = False
    facts: PackageFacts = PackageFacts()
    offer: Offer | None = None
    fleet: Mapping[str, tuple[str, ...]] = {}
    digest: str = ""
    archive_name: str = ""
    tree: tuple[Locked, ...] = ()
    before: Mapping[str, str] = {}
    granted: Granted | None = None
    registries: Registries | None = None


class Check(Protocol):
    """One check. An entry point of ``vsm_mcp.checks`` is a callable ``(Config) -> Check``."""

    @property
    def name(self) -> str:
        """The check's name, stable."""

    @property
    def stage(self) -> Stage:
        """When it can look."""

    async def check(self, subject: Subject) -> CheckResult:
        """Look at ``subject``. A check that cannot look answers *unavailable*; it does not raise."""


class Rule(msgspec.Struct, frozen=True):
    """One rule: its stable ``id``, the ``severity`` of what it finds, and what it means in one sentence."""

    id: str
    severity: Severity
    meaning: str

    def found(self, where: str, text: str) -> Finding:
        """Return a finding of this rule."""
        return Finding(rule=self.id, where=where, severity=self.severity, text=text)


def result(name: str, looked_at: int, unit: str, findings: Iterable[Finding], detail: str = "") -> CheckResult:
    """Return a check's answer: it fails when anything found is more than a note."""
    kept = tuple(findings)
    failed = any(finding.severity is not Severity.NOTE for finding in kept)
    status = CheckStatus.FAIL if failed else CheckStatus.PASS
    return CheckResult(check=name, status=status, looked_at=looked_at, unit=unit, findings=kept, detail=detail)


def unavailable(
    name: str, unit: str, detail: str, *, needed: bool = True, findings: Iterable[Finding] = ()
) -> CheckResult:
    """Return the answer of a check that could not look, and why; ``findings`` are what it saw all the same.

    ``needed`` is off where nobody set up, nor ever reached, whom it would have asked.
    """
    return CheckResult(
        check=name,
        status=CheckStatus.UNAVAILABLE,
        looked_at=0,
        unit=unit,
        findings=tuple(findings),
        detail=detail,
        needed=needed,
    )


async def run_checks(
    checks: Iterable[Check],
    subject: Subject,
    stage: Stage,
    *,
    timeout: float = DEADLINE_SECONDS,
) -> tuple[CheckResult, ...]:
    """Run the checks of one stage, each within ``timeout`` seconds; one that breaks or hangs is *unavailable*."""
    return tuple(await asyncio.gather(*(_guarded(check, subject, timeout) for check in checks if check.stage is stage)))


async def _guarded(check: Check, subject: Subject, timeout: float) -> CheckResult:
    try:
        async with asyncio.timeout(timeout):
            return await check.check(subject)
    except TimeoutError:
        return unavailable(check.name, "items", f"no answer within {timeout:g} s")
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; its failure must not count as pass
        return unavailable(check.name, "items", f"the check itself failed: {type(error).__name__}")
