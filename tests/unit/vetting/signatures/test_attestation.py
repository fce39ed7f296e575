"""Real bundles of npm and a real provenance of PyPI: what of them is verified, and what breaks it."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.vetting.signatures.attestation import Attested, npm_attested, pypi_attested
from vsm_mcp.vetting.signatures.keys import Key, pinned, read_keys

ROOT = Path(__file__).parents[4]
FOLDER = next(
    (each for up in (ROOT.parent, ROOT.parents[1]) if (each := up / "shared/bench/vetting/signatures").is_dir()), None
)
pytestmark = pytest.mark.skipif(FOLDER is None, reason="the shared vectors are not here")
SIGSTORE = "pkg:npm/sigstore@0.4.0"
SDIST = "pypi_attestations-0.0.19.tar.gz"


def read(name: str) -> Any:
    assert FOLDER is not None
    return json.loads((FOLDER / name).read_text("utf-8"))


def bundles(name: str = "npm_valid-attestations.json") -> list[Any]:
    return [row["bundle"] for row in read(name)["attestations"]]


def digest(bundle: Any) -> str:
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return f"sha512:{statement['subject'][0]['digest']['sha512']}"


def keys() -> list[Key]:
    return [key for key in pinned() if key.usage == "npm:attestations"]


def test_npm_bundles_that_hold() -> None:
    provenance, publish = bundles()
    one = npm_attested(provenance, SIGSTORE, digest(provenance), keys())
    assert one.holds
    assert one.publisher == "https://github.com/sigstore/sigstore-js"
    two = npm_attested(publish, SIGSTORE, digest(provenance), keys())
    assert (two.holds, two.publisher) == (True, "")


def test_another_digest_another_name_and_another_key_do_not() -> None:
    provenance, publish = bundles()
    assert not npm_attested(provenance, SIGSTORE, f"sha512:{'0' * 128}", keys()).about
    assert not npm_attested(provenance, SIGSTORE, "", keys()).about
    assert not npm_attested(provenance, "pkg:npm/sigstore@0.4.1", digest(provenance), keys()).about
    assert not npm_attested(publish, SIGSTORE, digest(provenance), ()).signed


def test_the_vector_with_a_wrong_digest_does_not_hold() -> None:
    provenance, changed = bundles("npm_mismatched-subject-digest-attestations.json")
    attested = npm_attested(changed, SIGSTORE, digest(provenance), keys())
    assert not attested.holds


def test_a_statement_that_was_changed_is_not_signed() -> None:
    bundle = copy.deepcopy(bundles()[0])
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["subject"][0]["digest"]["sha512"] = "0" * 128
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    attested = npm_attested(bundle, SIGSTORE, f"sha512:{'0' * 128}", keys())
    assert (attested.about, attested.signed) == (True, False)


def test_a_certificate_of_nobody_known_is_not_issued() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from tests.unit.vetting.signatures.signing import KEY, NOW

    when = __import__("datetime").datetime.fromisoformat(NOW)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sigstore-intermediate")])
    uri = x509.UniformResourceIdentifier("https://github.com/sigstore/sigstore-js/.github/workflows/p.yml@refs/heads/x")
    certificate = (
        x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number(), when, when)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    bundle = copy.deepcopy(bundles()[0])
    raw = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    bundle["verificationMaterial"] = {"certificate": {"rawBytes": raw}}
    attested = npm_attested(bundle, SIGSTORE, digest(bundle), keys())
    assert (attested.signed, attested.issued) == (False, False)


def provenance() -> Any:
    return read(f"{SDIST}.provenance")["attestation_bundles"][0]["attestations"][0]


GOOD = "sha256:9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3"


def test_a_provenance_of_pypi() -> None:
    attested = pypi_attested(provenance(), SDIST, GOOD)
    assert attested == Attested(
        predicate=attested.predicate,
        about=True,
        signed=True,
        issued=True,
        publisher="https://github.com/trailofbits/pypi-attestations",
    )
    assert not pypi_attested(provenance(), SDIST, "sha256:00").about
    assert not pypi_attested(provenance(), "other-1.0.tar.gz", GOOD).about


@pytest.mark.parametrize(
    "rubbish", [None, 7, [], {}, {"envelope": {}}, {"envelope": {"statement": "!", "signature": ""}}]
)
def test_what_is_no_attestation_is_said(rubbish: Any) -> None:
    with pytest.raises(ValueError, match="no "):
        pypi_attested(rubbish, SDIST, GOOD)
    with pytest.raises(ValueError, match="no "):
        npm_attested(rubbish, SIGSTORE, GOOD, keys())


def test_a_signature_of_npm() -> None:
    vector = read("npm_kms-demo.json")
    message = f"{vector['name']}@{vector['version']}:{vector['integrity']}".encode()
    (signature,) = vector["signatures"]
    (key,) = [key for key in pinned() if key.keyid == signature["keyid"] and key.usage == "npm:signatures"]
    assert key.signed(message, signature["sig"])
    assert not key.signed(message + b" ", signature["sig"])
    assert not key.signed(message, signature["sig"][::-1])
    assert [key.valid_at(at) for at in ("2022-01-01T00:00:00Z", "2025-01-29T00:00:00Z", None)] == [True, False, None]


@pytest.mark.parametrize("document", [None, [], {"keys": 7}, {"keys": [7, {"keyid": "x"}]}])
def test_what_are_no_keys_are_none(document: Any) -> None:
    assert read_keys(document) == ()
