"""The rules of the check ``signatures``."""

from __future__ import annotations

from typing import Final

from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.check import Rule

INVALID: Final = Rule("signatures.invalid", Severity.BLOCK, "its registry's signature is not one of the key it names")
OTHER_DIGEST: Final = Rule(
    "signatures.other_digest", Severity.BLOCK, "what was signed or attested is another file than the one fetched"
)
MISSING: Final = Rule(
    "signatures.missing", Severity.REVIEW, "its registry signs other versions of the package, and not this one"
)
UNKNOWN_KEY: Final = Rule("signatures.unknown_key", Severity.REVIEW, "it is signed, with a key that nobody vouches for")
EXPIRED: Final = Rule(
    "signatures.expired_key", Severity.REVIEW, "it is signed with a key that had expired when it was published"
)
ATTESTATION: Final = Rule(
    "signatures.attestation_invalid", Severity.BLOCK, "an attestation of where it was built does not hold"
)
LOST: Final = Rule(
    "signatures.provenance_lost", Severity.REVIEW, "versions before it say where they were built, and this one does not"
)
PUBLISHER: Final = Rule(
    "signatures.publisher_changed", Severity.REVIEW, "it was published by somebody else than the versions before it"
)
RULES: Final = (INVALID, OTHER_DIGEST, MISSING, UNKNOWN_KEY, EXPIRED, ATTESTATION, LOST, PUBLISHER)
