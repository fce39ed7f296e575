"""What a trial and the vetting amount to: admit, admit with care, or reject, with the reasons. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vsm_mcp.model.counted import counted
from vsm_mcp.model.finding import CheckResult, CheckStatus, Finding, Judgement, Severity, VetReport
from vsm_mcp.model.trial import Advice, Compliance, Figures, Recommendation, TrialReport

SLOW_START_SECONDS: Final = 10.0
MUCH_MEMORY_BYTES: Final = 1024 * 1024 * 1024
SLOW_ANSWER_MS: Final = 500.0


def advise(
    vetting: VetReport | None,
    report: TrialReport | None,
    compliance: Sequence[Compliance] = (),
    calls_watch: CheckResult | None = None,
    figures: Figures | None = None,
) -> Advice:
    """Return what follows. What cannot be served, or is blocked, is rejected; what wants a look is taken with care.

    A failed check of the protocol never rejects by itself: that the server could be served was seen in its trial.
    """
    against = [*_blocked(vetting, report, calls_watch), *_unfit(report)]
    if against:
        return Advice(recommendation=Recommendation.REJECT, reasons=tuple(against))
    care = [
        *_wants_a_look(vetting),
        *_watched(report.watch if report else None, "in its trial"),
        *_watched(calls_watch, "when it was called"),
        *_conduct(report),
        *(_complies_not(each) for each in compliance if each.status is CheckStatus.FAIL and _serious(each)),
        *_heavy(figures or (report.figures if report else Figures())),
    ]
    if care:
        return Advice(recommendation=Recommendation.CARE, reasons=tuple(dict.fromkeys(care)))
    return Advice(recommendation=Recommendation.ADMIT, reasons=tuple(_in_favour(vetting, report, compliance)))


def _serious(each: Compliance) -> bool:
    return each.severity is not Severity.NOTE


def _complies_not(each: Compliance) -> str:
    return f"protocol, {each.check} ({each.era}): {each.detail}"


def _blocked(vetting: VetReport | None, report: TrialReport | None, calls_watch: CheckResult | None) -> Iterator[str]:
    if vetting is not None and vetting.judgement is Judgement.REJECT:
        yield from (f"vetting: {reason}" for reason in vetting.reasons or ("rejected",))
    watches = (report.watch if report else None, report.conduct if report else None, calls_watch)
    for check in filter(None, watches):
        yield from (_said(check, each) for each in check.findings if each.severity is Severity.BLOCK)


def _unfit(report: TrialReport | None) -> Iterator[str]:
    if report is None or report.passed:
        return
    cause = report.cause
    yield f"it cannot be served: {cause.message}" if cause else "it cannot be served"


def _wants_a_look(vetting: VetReport | None) -> Iterator[str]:
    if vetting is not None and vetting.judgement is Judgement.QUARANTINE:
        yield from (f"vetting: {reason}" for reason in vetting.reasons)


def _watched(watch: CheckResult | None, when: str) -> Iterator[str]:
    if watch is None:
        return
    if watch.status is CheckStatus.UNAVAILABLE:
        yield f"nobody saw what it did {when}: {watch.detail}"
    yield from (_said(watch, each) for each in watch.findings if each.severity is Severity.REVIEW)


def _conduct(report: TrialReport | None) -> Iterator[str]:
    if report is not None and report.conduct is not None:
        yield from (_said(report.conduct, each) for each in report.conduct.findings if each.severity is Severity.REVIEW)


def _said(check: CheckResult, finding: Finding) -> str:
    return f"{check.check}: {finding.rule} in {finding.where}: {finding.text}"


def _heavy(figures: Figures) -> Iterator[str]:
    if figures.start_seconds and min(figures.start_seconds) > SLOW_START_SECONDS:
        yield f"it takes {min(figures.start_seconds):.0f} s to start"
    if (figures.peak_memory or 0) > MUCH_MEMORY_BYTES:
        yield f"it takes {(figures.peak_memory or 0) >> 20} MB of memory"
    if (figures.latency_ms or 0) > SLOW_ANSWER_MS:
        yield f"it takes {figures.latency_ms:.0f} ms to answer a question that does nothing"


def _in_favour(
    vetting: VetReport | None, report: TrialReport | None, compliance: Sequence[Compliance]
) -> Iterator[str]:
    if vetting is not None:
        silent = [each.check for each in vetting.checks if each.status is CheckStatus.UNAVAILABLE]
        unseen = f"; {', '.join(silent)} could not look" if silent else ""
        yield f"vetting has nothing against it ({counted(len(vetting.checks) - len(silent), 'checks')}{unseen})"
    if report is not None:
        yield "it starts, lists what it offers, and starts again"
    if report is not None and report.watch is not None:
        yield f"nothing to object to in what it did ({counted(report.watch.looked_at, report.watch.unit)})"
    asked = [each for each in compliance if each.status is not CheckStatus.UNAVAILABLE]
    if asked:
        kept = sum(each.status is CheckStatus.PASS for each in asked)
        yield f"it keeps {kept} of {len(asked)} rules of the protocol that were looked at, and all that clients need"
