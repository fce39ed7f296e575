"""What the checks say at each stage; an admission, ``vsm-mcp vet`` and ``vsm-mcp trial`` ask the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.past import compared, earlier
from vsm_mcp.autopilot.subjects import before_install
from vsm_mcp.autopilot.verdicts import judged
from vsm_mcp.errors import VettingRejected
from vsm_mcp.install.installer import Fetched, Options, Resolved
from vsm_mcp.model.finding import CheckResult, CheckStatus, Judgement
from vsm_mcp.model.launch import LaunchFacts, Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.vetting.check import Stage, Subject, run_checks, unavailable

_IMAGE: Final = "the files of an image are not looked at"


def options_of(parts: Parts, settings: Settings, facts: LaunchFacts, constraints: tuple[str, ...] = ()) -> Options:
    """Return what is asked of the installer."""
    wanted = parts.config.install
    return Options(
        constraints=constraints,
        min_release_age_days=wanted.min_release_age_days,
        trusted_publishers=wanted.trusted_publishers,
        allow_scripts=settings.allow_scripts,
        executable=settings.program or facts.executable,
        given=settings.env | dict.fromkeys(settings.secrets, ""),
    )


async def fetched_vetted(
    parts: Parts, request: Request, resolved: Resolved, fetched: Fetched
) -> tuple[CheckResult, ...]:
    """Look at what was fetched, and at how it differs from the version that is served now."""
    subject = await before_install(parts, request, resolved, fetched)
    results = honest(resolved.ref, await run_checks(parts.checks, subject, Stage.BEFORE_INSTALL))
    return compared(results, await earlier(parts.store, resolved.ref))


def unscripted(parts: Parts, resolved: Resolved) -> Callable[[Path], Awaitable[None]]:
    """Return what looks at an installation before its scripts run. It raises :class:`VettingRejected`."""

    async def look(into: Path) -> None:
        verdict = judged(await built_vetted(parts, resolved, into), parts.config.policy.profile)
        if verdict.judgement is Judgement.REJECT:
            raise VettingRejected(f"vetting rejected it: {verdict.reasons[0]}", "none of its install scripts ran")

    return look


async def built_vetted(parts: Parts, resolved: Resolved, into: Path) -> tuple[CheckResult, ...]:
    """Look at what was installed, dependencies and all, before any of it runs."""
    image = resolved.ref.kind is RefKind.OCI  # its files lie with the engine
    subject = Subject(ref=resolved.ref, version=resolved.version, installed=None if image else into)
    return honest(resolved.ref, await run_checks(parts.checks, subject, Stage.AFTER_BUILD))


def honest(ref: Ref, results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Return the results; of an image, a check that looked at nothing could not look: its files are nobody's to see."""
    if ref.kind is not RefKind.OCI:
        return tuple(results)
    return tuple(
        unavailable(each.check, each.unit, _IMAGE, needed=False)
        if each.status is CheckStatus.PASS and not each.looked_at
        else each
        for each in results
    )
