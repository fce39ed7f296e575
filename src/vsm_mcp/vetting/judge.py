"""What the checks amount to: a pure decision by profile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from vsm_mcp.errors import ConfigError
from vsm_mcp.model.finding import CheckResult, CheckStatus, Finding, Judgement, Severity, VetReport

PROFILES: Final = ("strict", "standard", "lax")
_WEIGHT: Final = {Judgement.ADMIT: 0, Judgement.QUARANTINE: 1, Judgement.REJECT: 2}
_ON_REVIEW: Final = {
    "strict": Judgement.QUARANTINE,
    "standard": Judgement.QUARANTINE,
    "lax": Judgement.ADMIT,
}
_ON_UNAVAILABLE: Final = {
    "strict": Judgement.REJECT,
    "standard": Judgement.QUARANTINE,
    "lax": Judgement.ADMIT,
}


def judge(results: Iterable[CheckResult], profile: str = "standard") -> VetReport:
    """Return the report: the worst of what each result asks for under ``profile``, with the reasons in words.

    A block rejects under every profile. A review quarantines under strict and standard and is only recorded under
    lax. Unavailable never counts as pass: strict rejects, standard quarantines, lax records; of a check that is not
    ``needed``, standard only records it. No results at all is unavailable too. Raises :class:`ConfigError` for a
    profile that does not exist.
    """
    if profile not in PROFILES:
        raise ConfigError(f"there is no vetting profile {profile!r}", f"profiles are {', '.join(PROFILES)}")
    checks = tuple(results)
    asked: list[tuple[Judgement, str]] = []
    if not checks:
        asked.append((_ON_UNAVAILABLE[profile], "no check looked at it"))
    for check in checks:
        if check.status is CheckStatus.UNAVAILABLE:
            asked.append(
                (_on_silence(check, profile), f"{check.check}: could not look ({check.detail or 'no reason'})")
            )
        asked += [(_asked(finding, profile), _reason(finding)) for finding in check.findings if _counts(finding)]
        if check.status is CheckStatus.FAIL and not any(map(_counts, check.findings)):
            asked.append((_ON_REVIEW[profile], f"{check.check}: failed ({check.detail or 'no finding given'})"))
    judgement = max((each for each, _ in asked), key=_WEIGHT.__getitem__, default=Judgement.ADMIT)
    ordered = sorted(asked, key=lambda pair: -_WEIGHT[pair[0]])
    return VetReport(judgement=judgement, checks=checks, reasons=tuple(reason for _, reason in ordered))


def _on_silence(check: CheckResult, profile: str) -> Judgement:
    return Judgement.ADMIT if profile == "standard" and not check.needed else _ON_UNAVAILABLE[profile]


def _counts(finding: Finding) -> bool:
    return finding.severity is not Severity.NOTE


def _asked(finding: Finding, profile: str) -> Judgement:
    return Judgement.REJECT if finding.severity is Severity.BLOCK else _ON_REVIEW[profile]


def _reason(finding: Finding) -> str:
    return f"{finding.rule} ({finding.severity.value}) in {finding.where}: {finding.text}"
