"""One advisory: a record of OSV, read as far as it matters here, and what it says of one version. Pure.

The form is the OSV schema (https://ossf.github.io/osv-schema/). What a record has beyond it is left alone; a record
that lacks what is needed raises ``msgspec.ValidationError``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from vsm_mcp.model.ref import normalise_pypi
from vsm_mcp.vetting.advisories import cvss
from vsm_mcp.vetting.advisories.ranges import PYPI, Range, Unordered, fixed_in, same, within

LEVELS: Final = ("unknown", "low", "moderate", "high", "critical")
_WORDS: Final = {"medium": "moderate", "important": "high", "none": "low"}
_MALICIOUS: Final = ("MAL-", "VSM-MAL-")


class Package(msgspec.Struct, frozen=True):
    """Which package of which ecosystem (``npm``, ``PyPI``, or one with a suffix such as ``Debian:12``)."""

    ecosystem: str
    name: str


class Affected(msgspec.Struct, frozen=True):
    """What a record says of one package."""

    package: Package | None = None
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    ecosystem_specific: Any = None
    database_specific: Any = None


class Score(msgspec.Struct, frozen=True):
    """A score: ``type`` is ``CVSS_V2``, ``CVSS_V3``, …; ``score`` the vector."""

    type: str
    score: str


class Advisory(msgspec.Struct, frozen=True):
    """A record of OSV."""

    id: str
    summary: str = ""
    modified: str = ""
    withdrawn: str | None = None
    aliases: tuple[str, ...] = ()
    affected: tuple[Affected, ...] = ()
    severity: tuple[Score, ...] = ()
    database_specific: Any = None

    @property
    def malicious(self) -> bool:
        """Whether it is about a package that was made to do harm, or was taken over."""
        return self.id.startswith(_MALICIOUS) or any(alias.startswith(_MALICIOUS) for alias in self.aliases)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """An advisory that is about a version: how bad (one of :data:`LEVELS`), and since when it is mended."""

    advisory: Advisory
    level: str
    fixed: str = ""
    certain: bool = True


def key_of(ecosystem: str, name: str) -> str:
    """Return the key under which advisories of a package are looked up."""
    return f"{ecosystem}/{normalise_pypi(name) if ecosystem == PYPI else name}"


def match(advisory: Advisory, ecosystem: str, name: str, version: str) -> Match | None:
    """Return what an advisory says of a version, or ``None``. A range that nobody can order counts as a match.

    Such a match is not ``certain``. A malicious package without any versions is malicious in all of them.
    """
    if advisory.withdrawn:
        return None
    wanted = key_of(ecosystem, name)
    for each in advisory.affected:
        if each.package is None or key_of(each.package.ecosystem, each.package.name) != wanted:
            continue
        certain = True
        try:
            about = any(same(ecosystem, version, one) for one in each.versions)
            about = about or within(ecosystem, version, each.ranges)
        except Unordered:
            about, certain = True, False
        if about or (advisory.malicious and not each.versions and not each.ranges):
            fixed = fixed_in(ecosystem, version, each.ranges)
            return Match(advisory=advisory, level=_level(advisory, each), fixed=fixed, certain=certain)
    return None


def once(matches: Iterable[Match]) -> list[Match]:
    """Return each vulnerability once, by its worst record: databases copy from each other under names of their own."""
    kept: list[Match] = []
    for each in sorted(matches, key=_weight):
        names = {each.advisory.id, *each.advisory.aliases}
        twin = next((other for other in kept if names & {other.advisory.id, *other.advisory.aliases}), None)
        if twin is None:
            kept.append(each)
        elif not twin.fixed and each.fixed:
            kept[kept.index(twin)] = msgspec.structs.replace(twin, fixed=each.fixed)
    return kept


def _weight(each: Match) -> tuple[bool, bool, int, str]:
    return not each.advisory.malicious, not each.certain, -LEVELS.index(each.level), each.advisory.id


def _level(advisory: Advisory, affected: Affected) -> str:
    """Return the database's own word, else what the CVSS vectors come to; the worst of them."""
    said = [affected.ecosystem_specific, affected.database_specific, advisory.database_specific]
    words = [_word(each.get("severity")) for each in said if isinstance(each, dict)]
    scores = [cvss.level(score.score) for score in advisory.severity]
    told = [word for word in words if word != LEVELS[0]] or scores
    return max(told, key=LEVELS.index, default=LEVELS[0])


def _word(given: Any) -> str:
    word = given.strip().lower() if isinstance(given, str) else ""
    word = _WORDS.get(word, word)
    return word if word in LEVELS else LEVELS[0]
