"""What one check of the protocol is and says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from vsm_mcp.model.finding import CheckStatus, Severity
from vsm_mcp.vetting.trials.room import Room

Verdict = tuple[CheckStatus, str]
"""Pass, fail or unavailable, and what was seen."""

BOTH: Final = ("legacy", "modern")
LEGACY: Final = ("legacy",)
MODERN: Final = ("modern",)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the protocol asks of a server.

    ``source`` is the passage of the specification (its version, page, section), ``severity`` what it means when the
    server does otherwise: ``review`` where clients depend on it, ``note`` where they get by.
    """

    name: str
    meaning: str
    source: str
    severity: Severity
    eras: tuple[str, ...]
    ask: Callable[[Room], Awaitable[Verdict]]


def passed(detail: str = "") -> Verdict:
    """It does as it should."""
    return CheckStatus.PASS, detail


def failed(detail: str) -> Verdict:
    """It does otherwise."""
    return CheckStatus.FAIL, detail


def unavailable(detail: str) -> Verdict:
    """It could not be seen."""
    return CheckStatus.UNAVAILABLE, detail
