"""Check ``advisories``: whether the package, or anything that comes with it, is known to be vulnerable or malicious."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.errors import RegistryUnavailable
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.registries.client import Registries
from vsm_mcp.registries.inquiry import Inquiry
from vsm_mcp.vetting.advisories import api
from vsm_mcp.vetting.advisories.dump import Dump, Unreadable
from vsm_mcp.vetting.advisories.record import Advisory, Match, key_of, match, once
from vsm_mcp.vetting.check import Rule, Stage, Subject, result, unavailable

MALICIOUS: Final = Rule("advisories.malicious", Severity.BLOCK, "it, or a dependency, is known to be malicious")
SEVERE: Final = Rule(
    "advisories.severe",
    Severity.BLOCK,
    "a version with a known vulnerability, high or critical, that a later one mends",
)
KNOWN: Final = Rule("advisories.known", Severity.REVIEW, "a version with any other known vulnerability")
STALE: Final = Rule("advisories.stale", Severity.NOTE, "is judged by advisories that are older than the settings want")
RULES: Final = (MALICIOUS, SEVERE, KNOWN, STALE)
_NAME: Final = "advisories"
_UNIT: Final = "packages looked up"
_SEVERE: Final = ("high", "critical")
_SUMMARY: Final = 160
_DUMP: Final = "dump: "


class AdvisoriesCheck:
    """Looks every package of the tree up in what ships, in a dump on this machine, and with an API of OSV.

    One of dump and API has to answer, and a dump that is named has to be readable.
    """

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    def __init__(self, config: Config) -> None:
        self._settings = config.vetting.advisories
        self._timeout = config.vetting.source_timeout_seconds
        self._required = _NAME in config.vetting.required
        path = self._settings.dump
        self._dump = Dump(Path(path).expanduser(), config.home / "advisories" / "index") if path else None
        self._inquiry: Inquiry | None = None

    async def check(self, subject: Subject) -> CheckResult:
        """Look up the package and its tree."""
        packages = sorted({(each.ecosystem, each.name, each.version) for each in subject.tree if each.version})
        if not packages:
            return result(_NAME, 0, _UNIT, (), "it comes from no registry")
        records = [record for record in shipped() if _about(record, packages)]
        told: list[str] = []
        failed: list[str] = []
        notes: list[Finding] = []
        needed = self._required or self._dump is not None
        if self._dump is not None:
            records += await self._from_dump(self._dump, packages, (told, failed), notes)
        if self._settings.api and subject.registries is not None:
            inquiry = self._asking(subject.registries)
            before = await inquiry.answered_before(self._settings.api)
            records += await self._from_api(inquiry, packages, told, failed)
            needed = needed or before
        findings = [*_findings(records, packages), *notes]
        if not told or any(why.startswith(_DUMP) for why in failed):
            why = "; ".join(failed) or "no source is set: [vetting.advisories]"
            return unavailable(_NAME, _UNIT, why, needed=needed, findings=findings)
        return result(_NAME, len(packages), _UNIT, findings, "; ".join([*told, *failed]))

    def _asking(self, registries: Registries) -> Inquiry:
        if self._inquiry is None:
            self._inquiry = Inquiry(registries, timeout=self._timeout, keep=self._settings.keep_seconds)
        return self._inquiry

    async def _from_dump(
        self, dump: Dump, packages: Sequence[api.Pinned], said: tuple[list[str], list[str]], notes: list[Finding]
    ) -> list[Advisory]:
        told, failed = said
        try:
            index = await dump.opened()
            records = await dump.about((ecosystem, name) for ecosystem, name, _ in packages)
        except Unreadable as error:
            failed.append(f"{_DUMP}{error}")
            return []
        day = datetime.datetime.fromtimestamp(index.at, datetime.UTC).date()
        unread = f", {index.unread} unreadable" if index.unread else ""
        told.append(f"dump of {day}: {index.records} records{unread}")
        age = index.age_days(time.time())
        if 0 < self._settings.stale_days < age:
            notes.append(STALE.found("[vetting.advisories] dump", f"it is of {day}, {age:.0f} days ago"))
        return records

    async def _from_api(
        self, inquiry: Inquiry, packages: Sequence[api.Pinned], told: list[str], failed: list[str]
    ) -> list[Advisory]:
        try:
            answer = await api.ask(inquiry, self._settings.api, packages)
        except RegistryUnavailable as error:
            failed.append(f"API: {error.message}")
            return []
        aged = f", {answer.age / 3600:.1f} h old" if answer.age >= 60 else ""
        told.append(f"API: {len(answer.records)} records{aged}{f' ({answer.trouble})' if answer.trouble else ''}")
        return list(answer.records)


def build(config: Config) -> AdvisoriesCheck:
    """Make the check: the entry point."""
    return AdvisoriesCheck(config)


@cache
def shipped() -> tuple[Advisory, ...]:
    """Return the advisories about well-known MCP servers that ship with the package."""
    text = files("vsm_mcp.vetting").joinpath("data/advisories.jsonl").read_bytes()
    return tuple(msgspec.json.decode(line, type=Advisory) for line in text.splitlines() if line.strip())


def _about(record: Advisory, packages: Iterable[api.Pinned]) -> bool:
    keys = {key_of(ecosystem, name) for ecosystem, name, _ in packages}
    return any(each.package and key_of(each.package.ecosystem, each.package.name) in keys for each in record.affected)


def _findings(records: Sequence[Advisory], packages: Iterable[api.Pinned]) -> list[Finding]:
    """Return a finding for each vulnerability of each package, the worst first."""
    found: list[Finding] = []
    by_key: dict[str, list[Advisory]] = {}
    for record in {each.id: each for each in records}.values():
        for key in {key_of(one.package.ecosystem, one.package.name) for one in record.affected if one.package}:
            by_key.setdefault(key, []).append(record)
    for ecosystem, name, version in packages:
        matches = (match(each, ecosystem, name, version) for each in by_key.get(key_of(ecosystem, name), ()))
        found += [_finding(each, f"{name} {version}") for each in once(each for each in matches if each)]
    return sorted(found, key=lambda each: (MALICIOUS, SEVERE, KNOWN).index(_rule(each)))


def _rule(finding: Finding) -> Rule:
    return next(rule for rule in RULES if rule.id == finding.rule)


def _finding(each: Match, where: str) -> Finding:
    advisory = each.advisory
    names = ", ".join([advisory.id, *(alias for alias in advisory.aliases if alias.startswith(("CVE-", "MAL-")))][:3])
    summary = f": {advisory.summary[:_SUMMARY]!a}" if advisory.summary else ""
    doubt = "" if each.certain else ", as far as its versions can be ordered"
    if advisory.malicious and each.certain:
        return MALICIOUS.found(where, f"{names}{summary}")
    mended = f"mended in {each.fixed}" if each.fixed else "no version mends it"
    severe = each.level in _SEVERE and bool(each.fixed) and each.certain
    return (SEVERE if severe else KNOWN).found(where, f"{names} ({each.level}; {mended}{doubt}){summary}")
