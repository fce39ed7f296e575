from __future__ import annotations

import msgspec

from vsm_mcp.autopilot.mending import Mending
from vsm_mcp.events import Event, RemedyApplied, ignore
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.trial import Cause, TrialReport

OLDER, BOTH = ("mcp<2",), ("mcp<2", "fastmcp<3")
FAILED = TrialReport(
    passed=False,
    era="",
    protocol="",
    tier="full",
    transport="stdio",
    start_seconds=0.0,
    probes=(),
    offer=Offer(),
    cause=Cause(code="python_sdk_2", message="it wants mcp 1.x", remedies=(OLDER, BOTH)),
)


def test_each_remedy_is_tried_once_and_said() -> None:
    heard: list[Event] = []
    mending = Mending("a1", heard.append)
    assert [mending.after(FAILED) for _ in range(3)] == [OLDER, BOTH, ()]
    assert heard == [
        RemedyApplied(acquisition="a1", remedy=remedy, reason="it wants mcp 1.x")
        for remedy in ("mcp<2", "mcp<2 fastmcp<3")
    ]


def test_what_passed_or_is_locked_or_has_no_known_cause_is_not_mended() -> None:
    passed = msgspec.structs.replace(FAILED, passed=True)
    unknown = msgspec.structs.replace(FAILED, cause=None)
    assert Mending("a1", ignore).after(passed) == ()
    assert Mending("a1", ignore).after(unknown) == ()
    locked = LockedServer(ref="pypi:demo==1", version="1")
    assert Mending("a1", ignore, locked).after(FAILED) == ()


def test_what_fails_after_every_remedy_says_what_was_tried() -> None:
    mending = Mending("a1", ignore)
    assert mending.told(FAILED) == FAILED
    while mending.after(FAILED):
        pass
    cause = mending.told(FAILED).cause
    assert cause is not None
    assert "mcp<2" in cause.hint
    assert "too, and failed likewise" in cause.hint
