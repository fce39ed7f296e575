"""Check ``dependencies``: where the files of the tree come from, what is new in it, and how young that is."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import urlsplit

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.model.locked import Locked
from vsm_mcp.model.moments import moment
from vsm_mcp.registries.client import Registries
from vsm_mcp.vetting.check import Rule, Stage, Subject, result, unavailable

FOREIGN: Final = Rule(
    "dependencies.foreign_source", Severity.BLOCK, "a package of its tree comes from elsewhere than a registry"
)
UNHASHED: Final = Rule("dependencies.no_hash", Severity.BLOCK, "the lock has no hash of a package of its tree")
YOUNG: Final = Rule(
    "dependencies.young", Severity.REVIEW, "it, or a dependency that it names or that is new, was published just now"
)
NEW: Final = Rule("dependencies.new", Severity.NOTE, "it brings packages that the version in service did not bring")
RULES: Final = (FOREIGN, UNHASHED, YOUNG, NEW)
_NAME: Final = "dependencies"
_UNIT: Final = "packages of the tree"
_ASKED: Final = 40
_AT_ONCE: Final = 8
_NAMED: Final = 10
_WEB: Final = ("http", "https")


class DependenciesCheck:
    """Reads the lock, and asks the registry for the day of the package, its direct dependencies, and what is new."""

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    def __init__(self, config: Config) -> None:
        settings = config.vetting
        self._young = datetime.timedelta(days=settings.young_days)
        self._timeout = settings.source_timeout_seconds
        self._required = _NAME in settings.required
        self._hosts = (*settings.hosts, *config.install.hosts)

    async def check(self, subject: Subject) -> CheckResult:
        """Look at the tree."""
        tree = subject.tree
        if not tree:
            return result(_NAME, 0, _UNIT, (), "it comes from no registry")
        hosts = (*self._hosts, *(_registry_hosts(subject.registries) if subject.registries else ()))
        findings = [*_sources(tree, hosts if subject.registries else ("*",)), *_new(subject)]
        facts = [_counts(tree)]
        if not self._young or subject.registries is None:
            return result(_NAME, len(tree), _UNIT, findings, facts[0])
        asked = _worth_asking(subject)
        ages, silent = await self._ages(asked, subject.registries)
        findings += [YOUNG.found(f"{each.name} {each.version}", _days(age)) for each, age in ages if age < self._young]
        facts.append(f"the age of {len(ages)} of {len(asked)} asked for is known")
        if silent:
            facts.append(f"no answer for {', '.join(silent[:3])}")
            if self._required:
                return unavailable(_NAME, _UNIT, "; ".join(facts), findings=findings)
        return result(_NAME, len(tree), _UNIT, findings, "; ".join(facts))

    async def _ages(
        self, asked: Sequence[Locked], registries: Registries
    ) -> tuple[list[tuple[Locked, datetime.timedelta]], list[str]]:
        """Return the ages that are known, and the names of the packages about which nobody answered."""
        turn, now = asyncio.Semaphore(_AT_ONCE), datetime.datetime.now(datetime.UTC)
        known: list[tuple[Locked, datetime.timedelta]] = []
        silent = {each.name: None for each in asked}

        async def one(package: Locked) -> None:
            async with turn:
                published = await _published(package, registries)
            silent.pop(package.name, None)
            if published is not None:
                known.append((package, now - published))

        tasks = [asyncio.ensure_future(one(each)) for each in asked]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=self._timeout)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return sorted(known, key=lambda pair: pair[1]), list(silent)


def build(config: Config) -> DependenciesCheck:
    """Make the check: the entry point."""
    return DependenciesCheck(config)


def _sources(tree: Sequence[Locked], hosts: Sequence[str]) -> list[Finding]:
    """Return what comes from elsewhere, and what has no hash; a bundled package is part of another one's file."""
    findings: list[Finding] = []
    for each in tree:
        if each.bundled:
            continue
        where = f"{each.name} {each.version}"
        parts = urlsplit(each.source)
        if each.source and parts.scheme not in _WEB:
            findings.append(FOREIGN.found(where, f"its file comes by {each.source[:40]!a}"))
        elif each.source and not any(fnmatchcase(parts.hostname or "", _host(host)) for host in hosts):
            findings.append(FOREIGN.found(where, f"its file comes from {parts.netloc[:80]!a}"))
        if not each.hashed:
            findings.append(UNHASHED.found(where, "what is installed could be anything"))
    return findings


def _host(given: str) -> str:
    """Return the host of ``HOST`` or ``HOST:PORT``, or of an address."""
    return (urlsplit(given if "://" in given else f"//{given}").hostname or given).lower()


def _registry_hosts(registries: Registries) -> tuple[str, ...]:
    addresses = registries.addresses
    return tuple(url for url in (addresses.npm, *addresses.npm_scopes.values()) if url)


def _new(subject: Subject) -> list[Finding]:
    """Return what the version in service did not bring; nothing where there is none."""
    names = _new_names(subject)
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [NEW.found(subject.ref.identity, f"{', '.join(names[:_NAMED])}{more}")]


def _new_names(subject: Subject) -> list[str]:
    if not subject.before:
        return []
    had = {path.rsplit("node_modules/", 1)[-1] for path in subject.before}
    return sorted({each.name for each in subject.tree} - had - {subject.ref.name})


def _worth_asking(subject: Subject) -> list[Locked]:
    """Return the package, what is new, and what it names itself: each once, at most forty."""
    new = set(_new_names(subject))
    own = [each for each in subject.tree if each.name == subject.ref.name or each.version == subject.version]
    own = [each for each in own if each.name.lower().replace("_", "-") == subject.ref.name.lower().replace("_", "-")]
    fresh = [each for each in subject.tree if each.name in new]
    direct = [each for each in subject.tree if each.direct]
    return list({(each.name, each.version): each for each in (*own, *fresh, *direct)}.values())[:_ASKED]


async def _published(package: Locked, registries: Registries) -> datetime.datetime | None:
    """Return when a version was published, or ``None`` where its registry does not say; raises what a registry does."""
    if package.ecosystem == "npm":
        return moment(_map((await registries.npm_package(package.name)).get("time")).get(package.version))
    files = (await registries.pypi_project(package.name))["releases"].get(package.version) or ()
    times = [moment(file.get("upload_time_iso_8601")) for file in files if isinstance(file, Mapping)]
    return min((each for each in times if each is not None), default=None)


def _days(age: datetime.timedelta) -> str:
    hours = max(0.0, age.total_seconds() / 3600)
    return f"published {hours:.0f} hours ago" if hours < 48 else f"published {hours / 24:.0f} days ago"


def _counts(tree: Sequence[Locked]) -> str:
    scripted = sum(each.scripted for each in tree)
    native = sum(each.native for each in tree)
    return f"{len(tree)} packages, {scripted} with install scripts, {native} for some platforms only"


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
