"""The check against a registry that signs, one that does not, one that is broken; versions against those before."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.discovery.network.hosts import FAULTS, Host, serving
from tests.unit.vetting.signatures.signing import (
    OTHER,
    Vouching,
    digest_of,
    integrity_of,
    packument,
    public,
    sign,
    version,
)
from tests.unit.vetting.signatures.test_attestation import FOLDER, GOOD, SDIST, bundles, read

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, CheckStatus
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.vetting import Signatures, Vetting
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.store import Store
from vsm_mcp.vetting.check import Subject
from vsm_mcp.vetting.signatures.check import SignaturesCheck

PASS, FAIL, UNAVAILABLE = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.UNAVAILABLE


@contextlib.asynccontextmanager
async def asking(home: Path, host: Host) -> AsyncIterator[Registries]:
    addresses = Addresses(npm=f"{host.address}/", pypi_index=f"{host.address}/simple/")
    async with Store(home) as store, Registries(addresses, store.cache, retry_after=()) as registries:
        yield registries


def config(home: Path, timeout: float = 30.0, required: tuple[str, ...] = (), **more: Any) -> Config:
    signatures = Signatures(**more)
    return Config(home=home, vetting=Vetting(signatures=signatures, source_timeout_seconds=timeout, required=required))


async def look(
    said: Any, home: Path, ref: str = "npm:x-mcp@2.0.0", settings: Config | None = None, **more: Any
) -> CheckResult:
    parsed = parse_ref(ref)
    given = {"digest": digest_of(f"{parsed.name} {parsed.version}".encode()), **more}
    async with serving(said) as host, asking(home, host) as registries:
        subject = Subject(ref=parsed, version=parsed.version, registries=registries, **given)
        return await SignaturesCheck(settings or config(home)).check(subject)


def npm(*versions: Any, keys: Any = None, published: str = "2029-01-01T00:00:00Z") -> Vouching:
    return Vouching({"x-mcp": packument("x-mcp", *versions, published=published)}, keys=keys)


def rules(answer: CheckResult) -> list[str]:
    return [finding.rule for finding in answer.findings]


BARE: dict[str, Any] = {"dist": {"signatures": []}}


async def test_a_signature_of_the_registrys_own_key(tmp_path: Path) -> None:
    answer = await look(npm(version("x-mcp", "2.0.0"), keys=[public()]), tmp_path)
    assert (answer.status, answer.looked_at, rules(answer)) == (PASS, 1, [])
    assert "signed by its registry" in answer.detail


async def test_a_key_that_the_settings_trust(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [public()]}), "utf-8")
    trusting = config(tmp_path, keys=(str(file),), registry_keys=False)
    said = npm(version("x-mcp", "2.0.0"), keys=[public(OTHER)])
    assert (await look(said, tmp_path, settings=trusting)).status is PASS
    answer = await look(said, tmp_path, settings=config(tmp_path, registry_keys=False))
    assert (answer.status, rules(answer)) == (FAIL, ["signatures.unknown_key"])


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', "<html>"])
async def test_a_file_of_keys_that_is_none_is_no_pass(text: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text, "utf-8")
    answer = await look(
        npm(version("x-mcp", "2.0.0"), keys=[public()]), tmp_path, settings=config(tmp_path, keys=(str(file),))
    )
    assert (answer.status, "keys.json" in answer.detail) == (UNAVAILABLE, True)


def tampered() -> Any:
    made = version("x-mcp", "2.0.0")
    made["dist"]["integrity"] = integrity_of(b"something else")
    return made


def signed_for_other() -> Any:
    integrity = integrity_of(b"x-mcp 2.0.0")
    return version("x-mcp", "2.0.0", dist={"signatures": [sign("y-mcp", "2.0.0", integrity)]})


def signed_by_other() -> Any:
    integrity = integrity_of(b"x-mcp 2.0.0")
    row = {**sign("x-mcp", "2.0.0", integrity, OTHER), "keyid": public()["keyid"]}
    return version("x-mcp", "2.0.0", dist={"signatures": [row]})


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (tampered, ["signatures.other_digest", "signatures.invalid"]),
        (signed_for_other, ["signatures.invalid"]),
        (signed_by_other, ["signatures.invalid"]),
    ],
)
async def test_what_was_tampered_with_blocks(made: Callable[[], Any], found: list[str], tmp_path: Path) -> None:
    answer = await look(npm(made(), keys=[public()]), tmp_path)
    assert (answer.status, rules(answer)) == (FAIL, found)


async def test_a_registry_cannot_replace_a_key_that_ships(tmp_path: Path) -> None:
    known = "SHA256:DhQ8wR5APBvFHLF/+Tc+AYvPOdTpcIDqOhxsBHRwC7U"
    integrity = integrity_of(b"x-mcp 2.0.0")
    row = {**sign("x-mcp", "2.0.0", integrity), "keyid": known}
    answer = await look(
        npm(version("x-mcp", "2.0.0", dist={"signatures": [row]}), keys=[public(keyid=known)]), tmp_path
    )
    assert rules(answer) == ["signatures.invalid"]


async def test_a_file_that_is_not_the_one_signed_blocks(tmp_path: Path) -> None:
    answer = await look(npm(version("x-mcp", "2.0.0"), keys=[public()]), tmp_path, digest=digest_of(b"another"))
    assert rules(answer) == ["signatures.other_digest"]


@pytest.mark.parametrize(
    ("expires", "published", "found"),
    [
        ("2029-06-01T00:00:00.000Z", "2029-01-01T00:00:00Z", []),
        ("2029-06-01T00:00:00.000Z", "2029-12-01T00:00:00Z", ["signatures.expired_key"]),
    ],
)
async def test_a_key_counts_for_what_was_published_before_it_expired(
    expires: str, published: str, found: list[str], tmp_path: Path
) -> None:
    said = npm(version("x-mcp", "2.0.0"), keys=[public(expires=expires)], published=published)
    assert rules(await look(said, tmp_path)) == found


async def test_a_version_without_a_signature_among_others_that_have_one(tmp_path: Path) -> None:
    said = npm(version("x-mcp", "1.0.0"), version("x-mcp", "2.0.0", **BARE), keys=[public()])
    answer = await look(said, tmp_path)
    assert (answer.status, rules(answer)) == (FAIL, ["signatures.missing"])


async def test_a_registry_that_signs_nothing_is_unavailable_and_not_missed(tmp_path: Path) -> None:
    answer = await look(npm(version("x-mcp", "2.0.0", **BARE)), tmp_path)
    assert (answer.status, answer.needed, rules(answer)) == (UNAVAILABLE, False, [])
    required = config(tmp_path, required=("signatures",))
    assert (await look(npm(version("x-mcp", "2.0.0", **BARE)), tmp_path, settings=required)).needed


async def test_a_registry_that_published_keys_before_is_missed(tmp_path: Path) -> None:
    said = npm(version("x-mcp", "2.0.0"), keys=[public()])
    async with serving(said) as host, asking(tmp_path, host) as registries:
        subject = Subject(ref=parse_ref("npm:x-mcp"), version="2.0.0", registries=registries)
        assert (await SignaturesCheck(config(tmp_path)).check(subject)).status is PASS
        said.packuments["y-mcp"] = packument("y-mcp", version("y-mcp", "2.0.0", **BARE))
        subject = Subject(ref=parse_ref("npm:y-mcp"), version="2.0.0", registries=registries)
        answer = await SignaturesCheck(config(tmp_path)).check(subject)
        assert (answer.status, answer.needed) == (UNAVAILABLE, True)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("ref", ["npm:x-mcp@2.0.0", "pypi:x-mcp==2.0.0"])
async def test_a_registry_that_does_not_answer_is_unavailable(fault: str, ref: str, tmp_path: Path) -> None:
    answer = await look(
        FAULTS[fault], tmp_path, ref, settings=config(tmp_path, timeout=0.6), archive_name="x_mcp-2.0.0.tar.gz"
    )
    assert (answer.status, answer.needed, rules(answer)) == (UNAVAILABLE, False, [])
    assert answer.detail


@pytest.mark.parametrize("fault", FAULTS)
async def test_keys_that_cannot_be_had_do_not_make_a_signature_good(fault: str, tmp_path: Path) -> None:
    said = npm(version("x-mcp", "2.0.0"))

    async def answer(host: Host, request: Any) -> Any:
        return await (FAULTS[fault] if request.path.endswith("/keys") else said)(host, request)

    seen = await look(answer, tmp_path, settings=config(tmp_path, timeout=0.6))
    assert (seen.status, rules(seen)) == (FAIL, ["signatures.unknown_key"])


# --- provenance, and who published ----------------------------------------------------------------------------------

ATTESTED = {"dist": {"attestations": {"url": "…", "provenance": {"predicateType": "https://slsa.dev/provenance/v1"}}}}


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ([("1.0.0", ATTESTED), ("2.0.0", {})], ["signatures.provenance_lost"]),
        ([("1.0.0", ATTESTED), ("1.1.0", {}), ("1.2.0", {}), ("2.0.0", {})], ["signatures.provenance_lost"]),
        # long ago is forgotten, later does not count, pre-releases are another thing
        ([("1.0.0", ATTESTED), ("1.1.0", {}), ("1.2.0", {}), ("1.3.0", {}), ("2.0.0", {})], []),
        ([("2.0.0", {}), ("3.0.0", ATTESTED)], []),
        ([("2.0.0-rc.1", ATTESTED), ("2.0.0", {})], []),
        ([("1.0.0", {}), ("2.0.0", {})], []),
    ],
)
async def test_a_provenance_that_is_no_more(versions: Any, found: list[str], tmp_path: Path) -> None:
    said = npm(
        *(version("x-mcp", number, **json.loads(json.dumps(more))) for number, more in versions), keys=[public()]
    )
    assert rules(await look(said, tmp_path)) == found


def by(name: str) -> Any:
    return {"_npmUser": {"name": name, "email": "x@example.com"}}


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ([("1.0.0", by("ann")), ("1.1.0", by("bob")), ("2.0.0", by("ann"))], []),
        ([("1.0.0", by("ann")), ("2.0.0", by("eve"))], ["signatures.publisher_changed"]),
        ([("1.0.0", {}), ("2.0.0", by("eve"))], []),
        ([("2.0.0", by("eve"))], []),
        ([("1.0.0", by("ann")), ("2.0.0", by("GitHub Actions"))], ["signatures.publisher_changed"]),
    ],
)
async def test_another_publisher_than_ever_before(versions: Any, found: list[str], tmp_path: Path) -> None:
    said = npm(*(version("x-mcp", number, **more) for number, more in versions), keys=[public()])
    assert rules(await look(said, tmp_path)) == found


needs_vectors = pytest.mark.skipif(FOLDER is None, reason="the shared vectors are not here")


def real_npm() -> tuple[Vouching, str]:
    """npm's own test vector as a registry would have it: sigstore 0.4.0 with its two attestations."""
    statement = json.loads(base64.b64decode(bundles()[0]["dsseEnvelope"]["payload"]))
    value = statement["subject"][0]["digest"]["sha512"]
    integrity = f"sha512-{base64.b64encode(bytes.fromhex(value)).decode()}"
    dist = {
        "integrity": integrity,
        "signatures": [sign("sigstore", "0.4.0", integrity)],
        "attestations": {"url": "…"},
    }
    said = Vouching({"sigstore": packument("sigstore", {"version": "0.4.0", "dist": dist})}, keys=[public()])
    said.attestations["sigstore@0.4.0"] = read("npm_valid-attestations.json")
    return said, f"sha512:{value}"


@needs_vectors
async def test_real_attestations_of_npm_hold(tmp_path: Path) -> None:
    said, digest = real_npm()
    answer = await look(said, tmp_path, "npm:sigstore@0.4.0", digest=digest)
    assert (answer.status, answer.looked_at, rules(answer)) == (PASS, 3, []), answer
    assert "built in https://github.com/sigstore/sigstore-js" in answer.detail


@needs_vectors
async def test_attestations_that_do_not_hold_block(tmp_path: Path) -> None:
    said, digest = real_npm()
    said.attestations["sigstore@0.4.0"] = read("npm_mismatched-subject-digest-attestations.json")
    answer = await look(said, tmp_path, "npm:sigstore@0.4.0", digest=digest)
    assert (answer.status, rules(answer)) == (FAIL, ["signatures.attestation_invalid"])


@needs_vectors
@pytest.mark.parametrize("told", [None, {}, {"attestations": []}])
async def test_attestations_that_are_named_and_not_given_are_unavailable(told: Any, tmp_path: Path) -> None:
    said, digest = real_npm()
    said.attestations["sigstore@0.4.0"] = told
    answer = await look(said, tmp_path, "npm:sigstore@0.4.0", digest=digest)
    assert answer.status is UNAVAILABLE


@needs_vectors
async def test_attestations_of_another_shape_block(tmp_path: Path) -> None:
    said, digest = real_npm()
    said.attestations["sigstore@0.4.0"] = {"attestations": [{"bundle": {"x": 1}}]}
    answer = await look(said, tmp_path, "npm:sigstore@0.4.0", digest=digest)
    assert rules(answer) == ["signatures.attestation_invalid"]


def pypi(*provenance: str, releases: tuple[str, ...] = ("0.0.18", "0.0.19")) -> Vouching:
    files = {each: [{"filename": f"pypi_attestations-{each}.tar.gz", "url": "x"}] for each in releases}
    project = {"info": {"name": "pypi-attestations", "version": releases[-1]}, "releases": files, "urls": []}
    said = Vouching(projects={"pypi-attestations": project})
    for each in provenance:
        said.provenance[f"pypi_attestations-{each}.tar.gz"] = read(f"{SDIST}.provenance") if FOLDER else {}
    return said


PYPI = "pypi:pypi-attestations==0.0.19"


@needs_vectors
async def test_a_real_provenance_of_pypi_holds(tmp_path: Path) -> None:
    answer = await look(pypi("0.0.18", "0.0.19"), tmp_path, PYPI, archive_name=SDIST, digest=GOOD)
    assert (answer.status, answer.looked_at, rules(answer)) == (PASS, 1, []), answer
    assert "built in https://github.com/trailofbits/pypi-attestations" in answer.detail


@needs_vectors
async def test_a_provenance_of_another_file_blocks(tmp_path: Path) -> None:
    answer = await look(pypi("0.0.19"), tmp_path, PYPI, archive_name=SDIST, digest=f"sha256:{'0' * 64}")
    assert rules(answer) == ["signatures.other_digest"]


@needs_vectors
async def test_a_provenance_of_pypi_that_is_no_more(tmp_path: Path) -> None:
    answer = await look(pypi("0.0.18"), tmp_path, PYPI, archive_name=SDIST, digest=GOOD)
    assert (answer.status, rules(answer)) == (FAIL, ["signatures.provenance_lost"])


async def test_none_ever_is_a_fact_and_a_pass(tmp_path: Path) -> None:
    answer = await look(pypi(), tmp_path, PYPI, archive_name=SDIST, digest=GOOD)
    assert (answer.status, answer.detail, rules(answer)) == (PASS, "no provenance", [])


async def test_what_comes_from_no_registry_has_nothing_to_look_at(tmp_path: Path) -> None:
    answer = await SignaturesCheck(config(tmp_path)).check(Subject(ref=parse_ref("cmd:true")))
    assert (answer.status, answer.looked_at) == (PASS, 0)
