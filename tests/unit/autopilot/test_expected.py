"""What a lock expects of an admission: exactly that, or nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from vsm_mcp.autopilot import expected
from vsm_mcp.errors import LockMismatch
from vsm_mcp.install.installer import Built, Resolved
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import CheckResult, CheckStatus, Finding, Judgement, Severity, VetReport
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.vetting.pins import pins_of

LINES = ["a==1 --hash=sha256:00"]
RESOLVED = Resolved(ref=parse_ref("pypi:a==1"), version="1", lock="a==1 --hash=sha256:00\n")
BUILT = Built(entry=Entry(argv=("a",), runtime="python"), integrity="sha256:00")
OFFER = Offer(
    items=(
        Definition(kind=ItemKind.TOOL, name="t", raw=b'{"name": "t"}'),
        Definition(kind=ItemKind.RESOURCE, name="r://1", raw=b'{"uri": "r://1"}'),
    )
)


def report(**fields: Any) -> TrialReport:
    given = {"passed": True, "era": "modern", "protocol": "2026-07-28", "tier": "full", "transport": "stdio"}
    return TrialReport(**{**given, "start_seconds": 0.0, "probes": (), "offer": OFFER, **fields})


def verdict(*severities: Severity) -> VetReport:
    findings = tuple(Finding(rule="r.x", where=f"w{n}", severity=each, text="") for n, each in enumerate(severities))
    check = CheckResult(check="c", status=CheckStatus.PASS, looked_at=1, unit="u", findings=findings)
    return VetReport(judgement=Judgement.ADMIT, checks=(check,))


LOCKED = LockedServer(
    ref="pypi:a==1",
    version="1",
    integrity="sha256:00",
    tree=LINES,
    pins=expected.pinned(pins_of(OFFER)),
    vetting=expected.vetted(verdict(Severity.REVIEW)),
    trial=expected.tried(True, "modern", "2026-07-28", "stdio"),
)


def test_what_is_as_it_was_locked_passes_and_without_a_lock_everything_does() -> None:
    for locked in (LOCKED, None):
        expected.check_built(locked, RESOLVED, BUILT)
        expected.check_seen(locked, report(), verdict(Severity.REVIEW))
    expected.check_seen(LOCKED, report(), verdict(Severity.NOTE))  # fewer findings than then
    assert expected.lock_text(None, ()) == ""
    assert expected.lock_text(LOCKED, ()) == RESOLVED.lock
    assert expected.lock_text(LOCKED, ("mcp<2",)) == ""
    assert list(LOCKED.pins) == ["tool:t"]


@pytest.mark.parametrize("change", [{"version": "2"}, {"integrity": "sha256:11"}, {"tree": ["a==2"]}, {"tree": None}])
def test_other_files_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(LockMismatch, match="locked is"):
        expected.check_built(msgspec.structs.replace(LOCKED, **change), RESOLVED, BUILT)


@pytest.mark.parametrize(
    ("seen", "severities", "said"),
    [
        (report(offer=Offer()), (Severity.REVIEW,), "tool:t"),
        (
            report(offer=Offer(items=(*OFFER.items, Definition(kind=ItemKind.PROMPT, name="p", raw=b"{}")))),
            (),
            "prompt:p",
        ),
        (report(era="legacy", protocol="2025-11-25"), (), "2025-11-25"),
        (report(), (Severity.REVIEW, Severity.BLOCK), "r.x w1"),
    ],
)
def test_other_definitions_another_trial_or_a_new_finding_is_refused(
    seen: TrialReport, severities: tuple[Severity, ...], said: str
) -> None:
    with pytest.raises(LockMismatch) as caught:
        expected.check_seen(LOCKED, seen, verdict(*severities))
    assert said in caught.value.message
