"""Check ``signatures``: whether its registry vouches for the file, and where it was built; against versions before it.

Absence is a fact and no finding; what was there before and is no more is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from packaging.version import InvalidVersion, Version

from vsm_mcp.config import Config
from vsm_mcp.errors import RegistryUnavailable, VsmError
from vsm_mcp.model.finding import CheckResult, Finding
from vsm_mcp.model.ref import RefKind
from vsm_mcp.registries.client import Registries
from vsm_mcp.registries.inquiry import Answer, Inquiry
from vsm_mcp.vetting.check import Stage, Subject, result, unavailable
from vsm_mcp.vetting.signatures import npm
from vsm_mcp.vetting.signatures.attestation import Attested, npm_attested, pypi_attested
from vsm_mcp.vetting.signatures.keys import Key, keys_of, pinned, read_keys
from vsm_mcp.vetting.signatures.rules import ATTESTATION, LOST, OTHER_DIGEST, PUBLISHER

_NAME: Final = "signatures"
_UNIT: Final = "signatures and attestations"
_BEFORE: Final = 3
_MOST: Final = 8
_KEEP_SECONDS: Final = 6 * 3600.0


class _Seen(msgspec.Struct):
    """What came of one package: how much was looked at, what was found, in words, and who should have answered."""

    looked_at: int = 0
    findings: list[Finding] = []
    facts: list[str] = []
    missing: list[str] = []


class SignaturesCheck:
    """Asks the registry of the package about the package itself; dependencies are held by the hashes of the lock."""

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    def __init__(self, config: Config) -> None:
        self._settings = config.vetting.signatures
        self._timeout = config.vetting.source_timeout_seconds
        self._required = _NAME in config.vetting.required
        self._inquiry: Inquiry | None = None

    async def check(self, subject: Subject) -> CheckResult:
        """Look at the signatures and attestations of the package."""
        if subject.ref.kind not in {RefKind.NPM, RefKind.PYPI}:
            return result(_NAME, 0, _UNIT, (), "it comes from no registry")
        if subject.registries is None:
            return unavailable(_NAME, _UNIT, "no registry is asked", needed=self._required)
        if self._inquiry is None:
            self._inquiry = Inquiry(subject.registries, timeout=self._timeout, keep=_KEEP_SECONDS)
        registries, inquiry, seen = subject.registries, self._inquiry, _Seen()
        is_npm = subject.ref.kind is RefKind.NPM
        addresses = registries.addresses
        registry = addresses.npm_registry(subject.ref.name) if is_npm else addresses.pypi_index
        before = await inquiry.answered_before(registry)
        try:
            await (self._npm if is_npm else self._pypi)(subject, registries, inquiry, seen)
        except (VsmError, ValueError) as error:
            seen.missing.append(error.message if isinstance(error, VsmError) else str(error))
        except TimeoutError:
            seen.missing.append(f"no answer within {self._timeout:g} s")
        if seen.missing:
            why = "; ".join([*seen.missing, *seen.facts])
            needed = self._required or before
            return unavailable(_NAME, _UNIT, why, needed=needed, findings=seen.findings)
        return result(_NAME, seen.looked_at, _UNIT, seen.findings, "; ".join(seen.facts))

    # --- npm -----------------------------------------------------------------------------------------------------

    async def _npm(self, subject: Subject, registries: Registries, inquiry: Inquiry, seen: _Seen) -> None:
        name, version, where = subject.ref.name, subject.version, f"{subject.ref.name}@{subject.version}"
        packument = await self._packument(subject, registries)
        seen.findings += npm.of_other_file(packument, version, subject.digest, where)
        seen.findings += npm.lost_provenance(packument, version, where)
        seen.findings += npm.changed_publisher(packument, version, where)
        keys, registry_signs = await self._keys(name, inquiry)
        signed = npm.signatures_of(packument, version)
        seen.looked_at += len(signed)
        if signed:
            wrong = npm.judge_signatures(packument, name, version, keys, where)
            seen.findings += wrong
            seen.facts.append("its registry's signature does not hold" if wrong else "signed by its registry")
        elif missing := npm.unsigned(packument, version, where):
            seen.findings += missing
        else:
            signs = "has keys, but gives no signatures" if registry_signs else "gives no signatures"
            seen.missing.append(f"its registry {signs}")
        if npm.attested(packument, version):
            await self._npm_attestations(subject, inquiry, (packument, keys), seen)
        else:
            seen.facts.append("no provenance")

    async def _packument(self, subject: Subject, registries: Registries) -> Mapping[str, Any]:
        async with asyncio.timeout(self._timeout):
            packument = await registries.npm_package(subject.ref.name)
            if subject.version not in packument["versions"]:
                packument = await registries.npm_package(subject.ref.name, fresh=True)
        return packument

    async def _keys(self, name: str, inquiry: Inquiry) -> tuple[tuple[Key, ...], bool]:
        """Return the keys that count and whether the registry publishes any; a pinned key is never replaced."""
        own = (*pinned(), *await asyncio.to_thread(keys_of, self._settings.keys))
        if not self._settings.registry_keys:
            return own, False
        try:
            answer = await inquiry.npm_keys(name)
        except RegistryUnavailable:
            return own, False
        told = read_keys(answer.told) if answer.found else ()
        known = {key.keyid for key in own}
        return (*own, *(key for key in told if key.keyid not in known)), bool(told)

    async def _npm_attestations(
        self, subject: Subject, inquiry: Inquiry, known: tuple[Mapping[str, Any], Sequence[Key]], seen: _Seen
    ) -> None:
        packument, keys = known
        name, version = subject.ref.name, subject.version
        answer = await inquiry.npm_attestations(name, version)
        bundles = _bundles(answer)
        if not bundles:
            seen.missing.append("its registry names attestations and does not give them")
            return
        this = _read(
            seen, f"{name}@{version}", [_npm_one(each, name, version, subject.digest, keys) for each in bundles]
        )
        for other in npm.earlier(packument, version)[:_BEFORE]:
            if npm.attested(packument, other):
                told = _bundles(await inquiry.npm_attestations(name, other))
                known_before = [_npm_one(each, name, other, "", keys) for each in told]
                _compare(seen, f"{name}@{version}", this, [each for each in known_before if each is not None])
                return

    # --- PyPI ----------------------------------------------------------------------------------------------------

    async def _pypi(self, subject: Subject, registries: Registries, inquiry: Inquiry, seen: _Seen) -> None:
        name, version, filename = subject.ref.name, subject.version, subject.archive_name
        if not filename:
            seen.missing.append("the name of its file is not known")
            return
        answer = await inquiry.pypi_provenance(name, version, filename)
        if answer.found:
            attested = [_pypi_one(each, filename, subject.digest) for each in _attestations(answer)]
            if not attested:
                seen.missing.append("its index names a provenance that holds nothing")
                return
            this = _read(seen, filename, attested)
            before = await self._before(subject, registries, inquiry)
            _compare(seen, filename, this, before[1] if before else [])
            return
        if not isinstance(answer.told, Mapping):
            seen.missing.append("its index keeps no provenance")
            return
        seen.looked_at += 1
        seen.facts.append("no provenance")
        if before := await self._before(subject, registries, inquiry):
            seen.findings.append(LOST.found(filename, f"{before[0]} has a provenance, {version} has none"))

    async def _before(
        self, subject: Subject, registries: Registries, inquiry: Inquiry
    ) -> tuple[str, list[Attested]] | None:
        """Return the last of the versions just before that has a provenance, and what it says."""
        async with asyncio.timeout(self._timeout):
            project = await registries.pypi_project(subject.ref.name)
        for version, filename in _earlier(project["releases"], subject.version)[:_BEFORE]:
            answer = await inquiry.pypi_provenance(subject.ref.name, version, filename)
            if answer.found:
                found = [_pypi_one(each, filename, "") for each in _attestations(answer)]
                return version, [each for each in found if each is not None]
        return None


def build(config: Config) -> SignaturesCheck:
    """Make the check: the entry point."""
    return SignaturesCheck(config)


def _read(seen: _Seen, where: str, attested: Sequence[Attested | None]) -> list[Attested]:
    """Take in the attestations of this version; return those that hold."""
    seen.looked_at += len(attested)
    for each in attested:
        if each is None or not (each.signed and each.issued):
            seen.findings.append(
                ATTESTATION.found(where, "it was not signed by whom it says, or by no authority known")
            )
        elif not each.about:
            seen.findings.append(OTHER_DIGEST.found(where, "the attestation is about another file"))
    good = [each for each in attested if each is not None and each.holds]
    places = sorted({each.publisher for each in good if each.publisher})
    if places:
        seen.facts.append(f"built in {', '.join(place[:120] for place in places)} (not looked up in the public log)")
    return good


def _compare(seen: _Seen, where: str, this: Sequence[Attested], before: Sequence[Attested]) -> None:
    """Add a finding where a version was built in another repository than the one before it."""
    now, then = ({each.publisher for each in some if each.publisher and each.signed} for some in (this, before))
    if now and then and not now & then:
        seen.findings.append(PUBLISHER.found(where, f"built in {min(now)[:120]}; before it was {min(then)[:120]}"))


def _npm_one(bundle: Any, name: str, version: str, digest: str, keys: Sequence[Key]) -> Attested | None:
    usable = [key for key in keys if key.usage == "npm:attestations"]
    try:
        return npm_attested(bundle, f"pkg:npm/{name}@{version}", digest, usable)
    except ValueError:
        return None


def _pypi_one(attestation: Any, filename: str, digest: str) -> Attested | None:
    try:
        return pypi_attested(attestation, filename, digest)
    except ValueError:
        return None


def _bundles(answer: Answer) -> list[Any]:
    rows = answer.told.get("attestations") if answer.found and isinstance(answer.told, Mapping) else None
    return (
        [row.get("bundle") if isinstance(row, Mapping) else None for row in rows[:_MOST]]
        if isinstance(rows, list)
        else []
    )


def _attestations(answer: Answer) -> list[Any]:
    bundles = answer.told.get("attestation_bundles") if isinstance(answer.told, Mapping) else None
    found: list[Any] = []
    for bundle in bundles[:_MOST] if isinstance(bundles, list) else ():
        rows = bundle.get("attestations") if isinstance(bundle, Mapping) else None
        found += rows[:_MOST] if isinstance(rows, list) else [None]
    return found


def _earlier(releases: Mapping[str, Any], version: str) -> list[tuple[str, str]]:
    """Return ``(version, file)`` of the releases before one, the latest first; of each a wheel, or whatever it has."""
    try:
        this = Version(version)
    except InvalidVersion:
        return []
    found = []
    for other, files in releases.items():
        try:
            place = Version(other)
        except InvalidVersion:
            continue
        names = sorted((str(file.get("filename", "")) for file in files), key=lambda name: not name.endswith(".whl"))
        if place < this and names and (not place.is_prerelease or this.is_prerelease):
            found.append((place, other, names[0]))
    return [(other, name) for _, other, name in sorted(found, reverse=True)]
