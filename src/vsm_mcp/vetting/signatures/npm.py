"""What a packument says of a version's signature, provenance and publisher, against the versions before it. Pure.

Signature: npm documentation, "About registry signatures" (ECDSA over ``NAME@VERSION:INTEGRITY``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vsm_mcp.model.finding import Finding
from vsm_mcp.vetting.advisories.ranges import NPM, Unordered, order
from vsm_mcp.vetting.signatures.keys import Key
from vsm_mcp.vetting.signatures.rules import EXPIRED, INVALID, LOST, MISSING, OTHER_DIGEST, PUBLISHER, UNKNOWN_KEY

_BEFORE: Final = 3
_HEX: Final = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40}
# npm publishes under these names for a repository that it trusts; the provenance says which one.
_TRUSTED: Final = ("GitHub Actions", "GitLab CI/CD")


def dist_of(packument: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """Return what a packument says of a version's file."""
    return _map(_map(_map(packument.get("versions")).get(version)).get("dist"))


def signatures_of(packument: Mapping[str, Any], version: str) -> list[tuple[str, str]]:
    """Return ``(keyid, signature)`` of a version."""
    rows = dist_of(packument, version).get("signatures")
    rows = rows[:8] if isinstance(rows, list) else []
    return [(str(row.get("keyid", "")), str(row.get("sig", ""))) for row in rows if isinstance(row, Mapping)]


def attested(packument: Mapping[str, Any], version: str) -> bool:
    """Return whether the registry has attestations of a version."""
    return bool(_map(dist_of(packument, version).get("attestations")))


def earlier(packument: Mapping[str, Any], version: str) -> list[str]:
    """Return the versions before one, the latest first; pre-releases only before a pre-release."""
    try:
        this = order(NPM, version)
    except Unordered:
        return []
    found = []
    for other in _map(packument.get("versions")):
        try:
            place = order(NPM, str(other))
        except Unordered:
            continue
        if place < this and (place[1] or not this[1]):
            found.append((place, str(other)))
    return [other for _, other in sorted(found, reverse=True)]


def of_other_file(packument: Mapping[str, Any], version: str, digest: str, where: str) -> list[Finding]:
    """Return a finding where the registry's hash is not that of the fetched file (``algorithm:hex``)."""
    said = _hex(str(dist_of(packument, version).get("integrity", "")))
    algorithm = digest.partition(":")[0]
    if not digest or algorithm not in said or said[algorithm] == digest:
        return []
    return [OTHER_DIGEST.found(where, "the registry signs another hash than that of the file it sent")]


def judge_signatures(
    packument: Mapping[str, Any], name: str, version: str, keys: Sequence[Key], where: str
) -> list[Finding]:
    """Return what is wrong with the signatures of a version; one that is good is enough."""
    message = f"{name}@{version}:{dist_of(packument, version).get('integrity', '')}".encode()
    published = _map(packument.get("time")).get(version)
    findings: list[Finding] = []
    for keyid, signature in signatures_of(packument, version):
        known = [key for key in keys if key.keyid == keyid and key.usage == "npm:signatures"]
        if not known:
            findings.append(
                UNKNOWN_KEY.found(where, f"the key {keyid[:80]!a} is none of npm's, the registry's or yours")
            )
        elif not (good := [key for key in known if key.signed(message, signature)]):
            findings.append(INVALID.found(where, f"{name}@{version} was not signed with {keyid[:80]!a}"))
        elif any(key.valid_at(published if isinstance(published, str) else None) is not False for key in good):
            return [finding for finding in findings if finding.rule == INVALID.id]
        else:
            findings.append(EXPIRED.found(where, f"the key expired on {good[0].expires}, before {published}"))
    return findings


def unsigned(packument: Mapping[str, Any], version: str, where: str) -> list[Finding]:
    """Return a finding where other versions are signed and this one is not."""
    others = [other for other in _map(packument.get("versions")) if signatures_of(packument, str(other))]
    return [MISSING.found(where, f"{len(others)} other versions are signed")] if others else []


def lost_provenance(packument: Mapping[str, Any], version: str, where: str) -> list[Finding]:
    """Return a finding where one of the versions just before had attestations and this one has none."""
    if attested(packument, version):
        return []
    having = [other for other in earlier(packument, version)[:_BEFORE] if attested(packument, other)]
    return [LOST.found(where, f"{having[0]} has a provenance, {version} has none")] if having else []


def changed_publisher(packument: Mapping[str, Any], version: str, where: str) -> list[Finding]:
    """Return a finding where nobody who published a version before published this one."""
    this = _publisher(packument, version)
    before = [name for other in earlier(packument, version) if (name := _publisher(packument, other))]
    if not this or not before or this in before or (this in _TRUSTED and attested(packument, version)):
        return []
    return [PUBLISHER.found(where, f"{this[:80]!a} published it; before it was {before[0][:80]!a}")]


def _publisher(packument: Mapping[str, Any], version: str) -> str:
    return str(_map(_map(_map(packument.get("versions")).get(version)).get("_npmUser")).get("name") or "")


def _hex(integrity: str) -> dict[str, str]:
    found = {}
    for word in integrity.split():
        algorithm, _, encoded = word.partition("-")
        try:
            value = base64.b64decode(encoded.split("?", 1)[0], validate=True).hex()
        except (ValueError, binascii.Error):
            continue
        if len(value) == _HEX.get(algorithm):
            found[algorithm] = f"{algorithm}:{value}"
    return found


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
