"""What a lock holds of a server, compared with what an admission made and saw. Pure; ``None`` expects nothing."""

from __future__ import annotations

from typing import Any, Final

from vsm_mcp.errors import LockMismatch
from vsm_mcp.install.installer import Built, Resolved
from vsm_mcp.install.lockfile import LockedServer, Tried, Vetted, digest, text_of, tree_of
from vsm_mcp.model.finding import Severity, VetReport
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.retry import Retry
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.vetting.pins import pins_of

UNPINNED: Final = "resource:"
"""Resources come and go with the data: they are in no lock."""


def constraints(locked: LockedServer | None) -> tuple[str, ...]:
    """Return what its dependencies were bound to."""
    return locked.constraints if locked is not None else ()


def remedies(locked: LockedServer | None, report: TrialReport) -> tuple[Retry, ...]:
    """Return what would mend a failed trial; what is locked is not mended, for it would be something else."""
    return report.cause.remedies if report.cause is not None and locked is None else ()


def lock_text(locked: LockedServer | None, bound: tuple[str, ...]) -> str:
    """Return the tool's lock to install from, where nothing else than what was locked is bound."""
    return text_of(locked.tree) if locked is not None and bound == locked.constraints else ""


def builders_text(locked: LockedServer | None) -> str:
    """Return uv's lock of what built it, to build with again."""
    return "\n".join([*locked.builders, ""]) if locked is not None and locked.builders else ""


def check_built(locked: LockedServer | None, resolved: Resolved, built: Built) -> None:
    """Raise :class:`LockMismatch` unless what was installed is what was locked."""
    if locked is None:
        return
    for what, wanted, found in (
        ("its version", locked.version, resolved.version),
        ("its archive", locked.integrity, built.integrity),
        ("its dependencies", digest(locked.tree), digest(_tree(resolved))),
    ):
        if wanted != found:
            raise LockMismatch(f"{what}: locked is {wanted or 'nothing'}, installed {found or 'nothing'}")


def _tree(resolved: Resolved) -> dict[str, Any] | list[str] | None:
    """Return what a lock has of the dependencies; of an image, the hash of its bytes is all there is."""
    return None if resolved.ref.kind is RefKind.OCI else tree_of(resolved.lock)


def check_seen(locked: LockedServer | None, report: TrialReport, verdict: VetReport) -> None:
    """Raise :class:`LockMismatch` unless it offers and is what was locked, and nothing more is found against it."""
    if locked is None:
        return
    pins = pinned(pins_of(report.offer))
    changed = sorted(key for key in pins.keys() | locked.pins.keys() if pins.get(key) != locked.pins.get(key))
    if changed:
        raise LockMismatch(f"its definitions are others than those that were locked: {', '.join(changed[:5])}")
    now = tried(report.passed, report.era, report.protocol, report.transport)
    if now.digest != locked.trial.digest:
        before = f"{locked.trial.era} era, {locked.trial.protocol}, {locked.trial.transport}"
        raise LockMismatch(
            f"its trial went otherwise: locked is {before}; now {now.era} era, {now.protocol}, {now.transport}"
        )
    more = sorted(set(findings(verdict)) - set(locked.vetting.findings))
    if more:
        raise LockMismatch(f"vetting finds what it did not find then: {'; '.join(more[:3])}")


def pinned(pins: dict[str, str]) -> dict[str, str]:
    """Return the pins that a lock holds."""
    return {key: value for key, value in sorted(pins.items()) if not key.startswith(UNPINNED)}


def findings(verdict: VetReport) -> tuple[str, ...]:
    """Return the findings of a verdict that want a look, as a lock has them."""
    rows = {
        f"{finding.rule} {ascii(finding.where)[1:-1]}"
        for check in verdict.checks
        for finding in check.findings
        if finding.severity is not Severity.NOTE
    }
    return tuple(sorted(rows))


def vetted(verdict: VetReport) -> Vetted:
    """Return a verdict as a lock has it."""
    found = findings(verdict)
    word = verdict.judgement.value
    return Vetted(judgement=word, findings=found, digest=digest([word, list(found)]))


def tried(passed: bool, era: str, protocol: str, transport: str) -> Tried:
    """Return a trial as a lock has it: nothing that hangs on how fast the machine is."""
    return Tried(era=era, protocol=protocol, transport=transport, digest=digest([passed, era, protocol, transport]))
