from __future__ import annotations

import msgspec
import pytest

from vsm_mcp.autopilot.mending import MOST, Mending, same_tree
from vsm_mcp.events import Event, RemedyApplied, ignore
from vsm_mcp.install.installer import Resolved
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.retry import AS_RELEASED, COMMAND, Retry
from vsm_mcp.model.trial import Cause, TrialReport

OLDER, BOTH = Retry(constraints=("mcp<2",)), Retry(constraints=("mcp<2", "fastmcp<3"))
THEN = Retry(constraints=(AS_RELEASED,))
HTTP, SSE = Retry(listens="http://127.0.0.1:80/mcp"), Retry(listens="http://127.0.0.1:80/sse")


def failed(code: str, *remedies: Retry, inputs: tuple[str, ...] = ()) -> TrialReport:
    return TrialReport(
        passed=False,
        era="",
        protocol="",
        tier="full",
        transport="stdio",
        start_seconds=0.0,
        probes=(),
        offer=Offer(),
        cause=Cause(code=code, message=f"it is {code}", hint="try another", remedies=remedies, inputs=inputs),
    )


SDK = failed("python_sdk_2", OLDER, BOTH)


def mending(heard: list[Event] | None = None, ref: str = "pypi:demo-mcp") -> Mending:
    return Mending("a1", ignore if heard is None else heard.append, parse_ref(ref))


def test_each_remedy_is_tried_once_and_said() -> None:
    heard: list[Event] = []
    tried = mending(heard)
    assert [tried.after(SDK) for _ in range(3)] == [OLDER, BOTH, None]
    assert heard == [
        RemedyApplied(acquisition="a1", remedy=remedy, reason="it is python_sdk_2")
        for remedy in ("mcp<2", "mcp<2 fastmcp<3")
    ]


def test_what_passed_or_is_locked_or_has_no_known_cause_is_not_mended() -> None:
    passed = msgspec.structs.replace(SDK, passed=True)
    unknown = msgspec.structs.replace(SDK, cause=None)
    assert mending().after(passed) is None
    assert mending().after(unknown) is None
    locked = LockedServer(ref="pypi:demo==1", version="1")
    assert Mending("a1", ignore, parse_ref("pypi:demo"), locked).after(SDK) is None


@pytest.mark.parametrize(
    ("ref", "found"), [("pypi:demo", THEN), ("npm:demo", THEN), ("git+https://example.org/demo", None)]
)
def test_only_a_registry_tells_what_was_there_at_a_release(ref: str, found: Retry | None) -> None:
    assert mending(ref=ref).after(failed("crashed", THEN)) == found


@pytest.mark.parametrize(
    ("ref", "extra", "fits"),
    [
        ("pypi:demo-mcp", "Demo_MCP[cli]", True),
        ("pypi:demo-mcp", "[mcp]", True),
        ("pypi:demo-mcp", "mcp[cli]", False),
        ("npm:demo-mcp", "[mcp]", False),
    ],
)
def test_an_extra_is_one_of_the_package_itself(ref: str, extra: str, *, fits: bool) -> None:
    retry = Retry(constraints=(extra,))
    assert mending(ref=ref).after(failed("crashed", retry)) == (retry if fits else None)


def test_what_an_earlier_failure_suggested_is_tried_while_none_got_it_further() -> None:
    tried = mending()
    assert tried.after(failed("not_a_server", HTTP, SSE)) == HTTP
    assert tried.after(failed("protocol")) == SSE
    assert tried.after(failed("hung")) is None


def test_what_got_it_further_ends_the_earlier_ones_and_tells_the_cause() -> None:
    tried = mending()
    assert tried.after(SDK) == OLDER
    lacking = failed("missing_env", inputs=("API_KEY",))
    assert tried.after(lacking) is None
    assert tried.told(lacking) == lacking


def test_a_crash_of_its_own_is_further_than_an_import_that_fails() -> None:
    tried = mending()
    assert tried.after(SDK) == OLDER
    assert tried.after(failed("python_sdk_2", BOTH)) == BOTH
    lacking = failed("crashed")
    assert tried.after(lacking) is None
    assert tried.told(lacking) == lacking


def test_other_dependencies_that_lead_nowhere_leave_no_hint_to_try_them() -> None:
    tried = mending()
    while tried.after(SDK):
        pass
    cause = tried.told(SDK).cause
    assert cause is not None
    assert cause.hint.endswith(
        "with mcp<2, with mcp<2 fastmcp<3, and failed, too; try another version or another server"
    )


def test_what_could_not_be_had_was_not_tried() -> None:
    tried = mending()
    report = failed("crashed", Retry(arguments=("serve",)), Retry(arguments=("run",)))
    assert tried.after(report) == Retry(arguments=("serve",))
    again = failed("crashed", THEN)
    assert tried.after(again) == THEN
    tried.missed()
    assert tried.after(again) == Retry(arguments=("run",))
    cause = tried.told(failed("crashed")).cause
    assert cause is not None
    assert "serve, with run" in cause.hint
    assert "release" not in cause.hint


def test_the_same_failure_again_is_no_further() -> None:
    tried = mending()
    assert tried.after(failed("crashed", THEN)) == THEN
    again = failed("crashed")
    assert tried.after(again) is None
    cause = tried.told(again).cause
    assert cause is not None
    assert cause.hint.startswith("it was tried again with dependencies as of its release")


def test_what_a_program_prints_does_not_keep_it_going() -> None:
    tried = mending()
    ways = [tried.after(failed("crashed", Retry(constraints=(f"[e{number}]",)))) for number in range(MOST + 3)]
    assert [way is not None for way in ways] == [True] * MOST + [False] * 3


@pytest.mark.parametrize(
    ("ref", "sockets", "fits"),
    [
        ("npm:demo", True, True),
        ("npm:demo", False, False),
        ("cmd:demo", True, True),
        ("oci:demo/demo", True, False),
        ("https://example.org/mcp", True, False),
    ],
)
def test_only_what_can_listen_is_reached_on_a_port(ref: str, *, sockets: bool, fits: bool) -> None:
    tried = Mending("a1", ignore, parse_ref(ref), sockets=sockets)
    assert tried.after(failed("not_a_server", HTTP)) == (HTTP if fits else None)


@pytest.mark.parametrize(("ref", "fits"), [("pypi:demo", True), ("npm:demo", False), ("cmd:demo", False)])
def test_what_bounds_python_is_for_python(ref: str, *, fits: bool) -> None:
    assert mending(ref=ref).after(SDK) == (OLDER if fits else None)


def test_a_tree_that_only_a_build_tells_may_differ() -> None:
    lock = Resolved(ref=parse_ref("pypi:demo"), version="1", lock="demo==1")
    assert same_tree(lock, lock)
    assert not same_tree(lock, msgspec.structs.replace(lock, build_lock="setuptools==1"))
    assert not same_tree(lock, msgspec.structs.replace(lock, lock="demo==2"))


def test_what_got_it_so_far_stays_with_what_is_tried_next() -> None:
    tried = mending()
    extra = Retry(constraints=("[mcp]",))
    assert tried.after(failed("missing_dependency", extra)) == extra
    assert tried.after(failed("python_sdk_2", OLDER)) == Retry(constraints=("[mcp]", "mcp<2"))
    serve = Retry(arguments=("serve",))
    assert tried.after(failed("missing_arg", serve, inputs=COMMAND)) == serve
    assert tried.after(failed("not_a_server", HTTP)) == msgspec.structs.replace(HTTP, arguments=("serve",))
    cause = tried.told(failed("protocol")).cause
    assert cause is not None
    assert cause.code == "missing_arg"  # the furthest that it came to


def test_a_version_that_is_started_in_a_way_listens_in_it() -> None:
    tried = Mending("a1", ignore, parse_ref("pypi:demo"), way=Retry(arguments=("serve",)))
    assert tried.after(failed("not_a_server", HTTP)) == msgspec.structs.replace(HTTP, arguments=("serve",))


def test_a_command_of_a_command_comes_after_it() -> None:
    tried = mending()
    assert tried.after(failed("missing_arg", Retry(arguments=("server",)), inputs=COMMAND)) == Retry(
        arguments=("server",)
    )
    deeper = failed("missing_arg", Retry(arguments=("start",)), inputs=COMMAND)
    assert tried.after(deeper) == Retry(arguments=("server", "start"))
    again = failed("missing_arg", Retry(arguments=("server",)), inputs=COMMAND)
    assert tried.after(again) is None


def test_what_fails_after_every_remedy_says_what_was_tried_and_its_first_cause() -> None:
    tried = mending()
    assert tried.told(SDK) == SDK
    first = failed("not_a_server", HTTP)
    assert tried.after(first) == HTTP
    cause = tried.told(failed("protocol")).cause
    assert cause is not None
    assert (cause.code, cause.message) == ("not_a_server", "it is not_a_server")
    assert cause.hint == ("it was tried again with --listens http://127.0.0.1:80/mcp, and failed, too; try another")
