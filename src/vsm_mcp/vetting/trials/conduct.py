"""What the trial inside of an admission looks at beside its probes, for two seconds at most: changes after calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.vetting.check import Rule, result
from vsm_mcp.vetting.probes import SKIPPED, same_pinned, still_answers
from vsm_mcp.wire.connection import Connection

NAME: Final = "conduct"
SECONDS: Final = 2.0
_CALLS: Final = 4
_NO_TOOL: Final = "vsm_mcp_no_such_tool"
_ASKED: Final = 10

AFTER_CALLS: Final = Rule(
    "conduct.changed_after_calls", Severity.REVIEW, "lists other definitions after a few calls than before"
)
AFTER_RESTART: Final = Rule(
    "conduct.changed_after_restart", Severity.NOTE, "lists other definitions after it was started anew"
)
RULES: Final = (AFTER_CALLS, AFTER_RESTART)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the probe, and how long single questions took, in seconds."""

    verdict: str
    detail: str
    times: tuple[float, ...] = ()


async def after_calls(connection: Connection, before: Offer) -> Seen:
    """Call what does not exist some times, list again, and take the time of some answers.

    Some servers turn after a few calls. What takes longer than :data:`SECONDS` in all is left.
    """
    times: list[float] = []
    verdict, detail = SKIPPED, f"it takes longer than {SECONDS:g} s"
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(_CALLS if before.of(ItemKind.TOOL) else 0):
                await _call_nothing(connection)
            verdict, detail = same_pinned(before, await connection.offer(SECONDS), "after calls")
            for _ in range(_ASKED):
                began = time.monotonic()
                await still_answers(connection)
                times.append(time.monotonic() - began)
    except TimeoutError:
        pass
    except VsmError as error:
        if verdict == SKIPPED:
            detail = error.message
    return Seen(verdict=verdict, detail=detail, times=tuple(times))


async def _call_nothing(connection: Connection) -> None:
    try:
        await connection.request("tools/call", {"name": _NO_TOOL, "arguments": {}}, timeout=SECONDS)
    except VsmError:
        return


def result_of(offer: Offer, findings: Sequence[Finding]) -> CheckResult:
    """Return what is to be thought of it. Pure."""
    return result(NAME, len(offer.items), "definitions", findings)
