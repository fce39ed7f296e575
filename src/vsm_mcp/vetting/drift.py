"""What a new version's code can do, and whom it writes to, that the approved one could or did not. Pure."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.model.finding import CheckResult, CodeProfile, Finding, Severity
from vsm_mcp.vetting.check import Rule, result

CAPABILITY: Final = Rule("drift.capability", Severity.REVIEW, "an update can do what the approved version could not")
ADDRESS: Final = Rule(
    "drift.address", Severity.REVIEW, "an update holds a mail address that the approved version did not"
)
HOST: Final = Rule("drift.host", Severity.REVIEW, "an update holds a host that the approved version did not")
RULES: Final = (CAPABILITY, ADDRESS, HOST)
# every file writes files and decodes something: it tells nothing that an update does so too
_ORDINARY: Final = frozenset({"writes files", "decodes data"})
_PLACEHOLDER: Final = re.compile(
    r"(?:^|[.@])(?:example\.(?:com|org|net)|localhost|127\.0\.0\.1|0\.0\.0\.0|w3\.org|json-schema\.org|schema\.org)$"
    r"|^[^.@]*$"
)


def drift(before: CodeProfile, after: CodeProfile) -> list[Finding]:
    """Return what ``after`` has and ``before`` had not; nothing where both are alike.

    The parent of a host counts as known: a service that moves from one name to another below its own domain is no
    news.
    """
    found = [
        CAPABILITY.found("code", capability)
        for capability in after.capabilities
        if capability not in before.capabilities and capability not in _ORDINARY
    ]
    known = set(before.constants) | {_domain(host) for host in before.constants}
    for constant in after.constants:
        if constant in known or _PLACEHOLDER.search(constant):
            continue
        if "@" in constant:
            found.append(ADDRESS.found("code", ascii(constant[:100])))
        elif _domain(constant) not in known:
            found.append(HOST.found("code", ascii(constant[:100])))
    return found


def compare(before: CodeProfile, after: CodeProfile) -> CheckResult:
    """Return the comparison as the answer of a check ``drift``."""
    looked_at = len(after.capabilities) + len(after.constants)
    return result("drift", looked_at, "capabilities and addresses", drift(before, after))


def _domain(host: str) -> str:
    """Return the last two labels; a shared suffix (``co.uk``) only makes more hosts known than are, never fewer."""
    return ".".join(host.rpartition("@")[2].split(".")[-2:])
