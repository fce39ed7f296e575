"""One attestation of where a file was built, and how much of it holds. Pure.

Forms: Sigstore bundle 0.1–0.3 with a DSSE envelope (npm), PEP 740 attestation (PyPI); both hold an in-toto statement.
What is verified: that the statement is about this very file, that it was signed with the key of the certificate beside
it, and that the certificate was issued by Sigstore's authority. What is not: the entry in the transparency log, and
with it that the signature was made while the certificate counted.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from vsm_mcp.vetting.signatures.keys import Key, authorities, verified

_IN_TOTO: Final = "application/vnd.in-toto+json"
_WORKFLOW: Final = re.compile(r"(https://[^/]+/[^/]+/[^/]+)/.*?@.*", re.DOTALL)
_BROKEN: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, binascii.Error, msgspec.MsgspecError)


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """What an attestation comes to.

    ``about``: it is about the file; ``signed``: by the key beside it; ``issued``: that key is one of the authority's
    (or of the registry); ``publisher``: the repository whose workflow it was made in (``https://HOST/OWNER/NAME``).
    """

    predicate: str = ""
    about: bool = False
    signed: bool = False
    issued: bool = False
    publisher: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything that is verified here holds."""
        return self.about and self.signed and self.issued


def npm_attested(bundle: Any, subject: str, digest: str, keys: Sequence[Key]) -> Attested:
    """Read a Sigstore bundle about ``subject`` (``pkg:npm/NAME@VERSION``) with ``digest`` (``sha512:hex``).

    Raises ``ValueError`` for what is no bundle.
    """
    try:
        envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        statement = msgspec.json.decode(payload)
        about = _about(statement, subject, digest)
        message = _encoded(envelope["payloadType"], payload)
        predicate = str(statement.get("predicateType", ""))
        if "publicKey" in material:
            hint = str(envelope["signatures"][0].get("keyid") or material["publicKey"].get("hint") or "")
            key = next((each for each in keys if each.keyid == hint), None)
            good = key is not None and key.signed(message, envelope["signatures"][0]["sig"])
            return Attested(predicate=predicate, about=about, signed=good, issued=good)
        if "certificate" in material:
            raw = material["certificate"]["rawBytes"]
        else:
            raw = material["x509CertificateChain"]["certificates"][0]["rawBytes"]
    except _BROKEN as error:
        raise ValueError("no bundle of Sigstore") from error
    return _certified(raw, message, signature, predicate, about)


def pypi_attested(attestation: Any, filename: str, digest: str) -> Attested:
    """Read an attestation of PEP 740 about a file with ``digest`` (``sha256:hex``). Raises ``ValueError``."""
    try:
        payload = base64.b64decode(attestation["envelope"]["statement"], validate=True)
        signature = base64.b64decode(attestation["envelope"]["signature"], validate=True)
        statement = msgspec.json.decode(payload)
        about = _about(statement, filename, digest)
        predicate, raw = str(statement.get("predicateType", "")), attestation["verification_material"]["certificate"]
    except _BROKEN as error:
        raise ValueError("no attestation of PEP 740") from error
    return _certified(raw, _encoded(_IN_TOTO, payload), signature, predicate, about)


def _about(statement: Mapping[str, Any], name: str, digest: str) -> bool:
    algorithm, _, value = digest.partition(":")
    return any(
        unquote(subject["name"]) == name and subject["digest"].get(algorithm) == value and bool(value)
        for subject in statement["subject"]
    )


def _encoded(kind: str, payload: bytes) -> bytes:
    """Return what is signed of an envelope (DSSE protocol, "PAE")."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _certified(raw: str, message: bytes, signature: bytes, predicate: str, about: bool) -> Attested:
    try:
        leaf = x509.load_der_x509_certificate(base64.b64decode(raw, validate=True))
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        signed = verified(leaf.public_key(), message, signature)
        workflow = next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
    except (*_BROKEN, x509.ExtensionNotFound, UnsupportedAlgorithm) as error:
        raise ValueError("its certificate cannot be read") from error
    found = _WORKFLOW.fullmatch(workflow)
    publisher = found[1].lower() if found else workflow[:200]
    return Attested(predicate=predicate, about=about, signed=signed, issued=_issued(leaf), publisher=publisher)


def _issued(leaf: x509.Certificate) -> bool:
    """Whether the chain from a certificate ends in a root that ships; when it was valid is not looked at."""
    this = leaf
    for _ in range(len(authorities())):
        issuer = next((each for each in authorities() if _issued_by(this, each)), None)
        if issuer is None:
            return False
        if issuer.subject == issuer.issuer:
            return True
        this = issuer
    return False


def _issued_by(this: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        this.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
