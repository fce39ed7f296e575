"""What a behaviour amounts to, and what a tap passes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from vsm_mcp.autopilot.verdicts import unwatched, watched
from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.finding import CheckStatus, Judgement, Severity
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.sandbox import tracing
from vsm_mcp.sandbox.child import Child
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.vetting.check import result, unavailable
from vsm_mcp.vetting.decoys import AWS, ENV, SSH
from vsm_mcp.vetting.judge import judge
from vsm_mcp.vetting.tap import Tap
from vsm_mcp.vetting.watch import RULES, Watch, findings_of


@pytest.mark.parametrize(
    ("behaviour", "told", "rules"),
    [
        (Behaviour(calls=9), set(), []),
        (Behaviour(decoys=(SSH, ENV)), {SSH}, ["watch.decoy_told", "watch.decoy_opened", "watch.env_opened"]),
        (Behaviour(decoys=(ENV,)), set(), ["watch.env_opened"]),
        (Behaviour(decoys=(AWS,)), set(), ["watch.decoy_opened"]),
        (Behaviour(sought=("/etc/shadow",)), set(), ["watch.secrets_sought"]),
        (Behaviour(outside=("/usr/x",), commands=("git",)), set(), ["watch.wrote_outside", "watch.ran"]),
        (Behaviour(names=("example.com",)), set(), ["watch.reached_out"]),
        (Behaviour(reads=("/data/a",), writes=("/data/b",)), set(), []),
    ],
)
def test_findings(behaviour: Behaviour, told: set[str], rules: list[str]) -> None:
    found = findings_of(behaviour, told=told, logged=set())
    assert [finding.rule for finding in found] == rules
    severities = {rule.id: rule.severity for rule in RULES}
    assert all(finding.severity is severities[finding.rule] for finding in found)


@pytest.mark.parametrize(
    ("behaviour", "told", "judgement"),
    [
        (Behaviour(commands=("git",), outside=("/x",), hosts=("h:1",), decoys=(ENV,)), set(), Judgement.ADMIT),
        (Behaviour(decoys=(SSH,)), set(), Judgement.QUARANTINE),
        (Behaviour(), {ENV}, Judgement.REJECT),
    ],
)
def test_what_a_person_has_to_look_at(behaviour: Behaviour, told: set[str], judgement: Judgement) -> None:
    findings = findings_of(behaviour, told=told, logged=set())
    assert judge([result("watch", 1, "system calls", findings)]).judgement is judgement


def test_a_decoy_in_the_log_wants_a_look() -> None:
    assert [finding.severity for finding in findings_of(Behaviour(), told=set(), logged={SSH})] == [Severity.REVIEW]


def test_names_of_a_server_are_escaped() -> None:
    (finding,) = findings_of(Behaviour(commands=("\x1b[31m\u202e",)), told=set(), logged=set())
    assert finding.where.isascii()
    assert finding.where.isprintable()


def report(watch: object) -> TrialReport:
    given = {"passed": True, "era": "", "protocol": "", "tier": "full", "transport": "stdio", "start_seconds": 0.1}
    return TrialReport(**given, probes=(), offer=Offer(), watch=watch)  # type: ignore[arg-type]


def test_that_nobody_could_look_never_counts_as_pass() -> None:
    blind = report(unavailable("watch", "system calls", "strace is not installed"))
    assert watched(blind, "strict") == (blind.watch,)
    assert judge(watched(blind, "strict"), "strict").judgement is Judgement.REJECT
    assert watched(blind, "standard") == ()
    assert "strace is not installed" in unwatched(blind)[0]
    seeing = report(result("watch", 1, "system calls", ()))
    assert watched(seeing, "standard") == (seeing.watch,)
    assert unwatched(seeing) == ()
    assert (watched(report(None), "strict"), unwatched(report(None))) == ((), ())


class Nowhere:
    """Starts nothing, and says what it was asked to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Command, Confinement]] = []

    async def spawn(self, command: Command, confinement: Confinement, *, name: str, unsandboxed: bool = False) -> Child:
        self.asked.append((command, confinement))
        raise AssertionError("nothing is started here")


async def test_without_strace_a_server_is_started_as_ever_and_nobody_looked() -> None:
    sandbox = Nowhere()
    watch = Watch(sandbox, (), strace="")
    command, confinement = Command(argv=("/i/x",)), Confinement()
    with pytest.raises(AssertionError):
        await watch.spawn(command, confinement, name="x")
    assert sandbox.asked == [(command, confinement)]
    assert watch.result().status is CheckStatus.UNAVAILABLE
    assert "strace" in watch.result().detail


async def test_with_strace_but_nothing_seen_it_is_no_pass() -> None:
    assert Watch(Nowhere(), (), strace="/usr/bin/strace").result().status is CheckStatus.UNAVAILABLE


def test_strace_is_looked_for_where_root_may_run_it(tmp_path: Path) -> None:
    (tmp_path / "strace").write_text("#!/bin/sh\n")
    (tmp_path / "strace").chmod(0o755)
    assert tracing.find(str(tmp_path)) == str(tmp_path / "strace")
    assert tracing.find("/nowhere") == ""


# --- the tap ----------------------------------------------------------------------------------------------------------


async def test_a_tap_passes_everything_on_and_makes_the_writer_wait() -> None:
    source, into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    looked = bytearray()
    tap = Tap(source, looked.extend)
    data, sent, got = os.urandom(1_000_000), 0, bytearray()

    async def write() -> None:
        nonlocal sent
        while sent < len(data):
            with contextlib.suppress(BlockingIOError):
                sent += os.write(into, data[sent:])
            await asyncio.sleep(0)
        os.close(into)

    async with asyncio.timeout(60):
        writing = asyncio.ensure_future(write())
        idle = 0
        while idle < 50:  # nobody reads: the writer gets no further than two pipes and a piece
            before = sent
            await asyncio.sleep(0)
            idle = 0 if sent > before else idle + 1
        assert len(looked) < 4 * 65536
        while True:
            try:
                piece = os.read(tap.out, 65536)
            except BlockingIOError:
                await asyncio.sleep(0)
                continue
            if not piece:
                break
            got += piece
        await writing
    assert bytes(got) == bytes(looked) == data
    os.close(tap.out)
    tap.close()


async def test_a_reader_who_goes_away_is_passed_on() -> None:
    source, into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    tap = Tap(source, lambda _data: None)
    os.close(tap.out)
    async with asyncio.timeout(60):
        with pytest.raises(BrokenPipeError):
            while True:
                os.write(into, b"x")
                await asyncio.sleep(0)
    os.close(into)
