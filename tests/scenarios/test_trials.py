"""The checks of the protocol, each against a server that fails it; the whole trial of servers that turn."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vsm_mcp import events
from vsm_mcp.config import Config, Runtime
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.trial import Compliance, Recommendation
from vsm_mcp.runtime.spec import ServerSpec, base_env
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.testing import faulty, faulty_http, nonconforming
from vsm_mcp.vetting.trials.advice import advise
from vsm_mcp.vetting.trials.examine import RULES, UNTRIED, UNTRIED_MODERN, Examined, elsewhere, examine, in_era

FAULTY = str(Path(faulty.__file__).resolve())
NONCONFORMING = str(Path(nonconforming.__file__).resolve())
PYTHON = f"{sys.base_prefix}/bin/python3"
ROOTS = (sys.base_prefix, str(Path(FAULTY).parents[2]))
# In the modern era, only what is asked differently there: the rest is the same code.
ALSO_MODERN = ("handshake", "version", "ids", "malformed line", "after calls")
EVERY = [
    pytest.param(rule.name, era, id=f"{rule.name}-{era}")
    for rule in RULES
    for era in rule.eras
    if era == rule.eras[0] or rule.name in ALSO_MODERN
]
PATIENCE = 1.5  # seconds: for servers that answer nothing at all


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    isolation = await probe()
    if isolation.tier is Tier.NONE:
        pytest.skip(f"no sandbox here: {'; '.join(isolation.reasons)}")
    async with Sandbox(isolation) as running:
        yield running


def spec(*program: str) -> ServerSpec:
    return ServerSpec(
        name="tried",
        command=Command(argv=(PYTHON, "-I", "-S", *program), env=base_env(PYTHON)),
        confinement=Confinement(read_only=ROOTS),
        start_timeout=30.0,
    )


def config(home: Path) -> Config:
    return Config(home=home, runtime=Runtime(start_timeout_seconds=30.0, stop_grace_seconds=1.0))


async def rows(sandbox: Sandbox, home: Path, era: str, *program: str, patience: float = 20.0) -> dict[str, Compliance]:
    return {row.check: row for row in await in_era(spec(*program), sandbox, config(home), era, patience)}


async def examined(sandbox: Sandbox, home: Path, *program: str) -> Examined:
    return await examine(spec(*program), sandbox, config(home), events.ignore)


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("mode", ["own", "both"])
async def test_a_server_that_keeps_to_the_protocol_passes_every_check(
    sandbox: Sandbox, tmp_path: Path, mode: str, era: str
) -> None:
    found = await rows(sandbox, tmp_path, era, NONCONFORMING, "--mode", "both" if mode == "both" else era)
    assert {name: row.detail for name, row in found.items() if row.status is not CheckStatus.PASS} == {}
    assert set(found) == {rule.name for rule in RULES if era in rule.eras}
    assert all(row.source and row.meaning for row in found.values())


@pytest.mark.parametrize(("check", "era"), EVERY)
async def test_each_check_fails_the_server_that_breaks_it(
    sandbox: Sandbox, tmp_path: Path, check: str, era: str
) -> None:
    patience = PATIENCE if check in ("answers", "time-out") else 20.0
    found = await rows(sandbox, tmp_path, era, NONCONFORMING, "--mode", era, "--break", check, patience=patience)
    assert found[check].status is CheckStatus.FAIL, {name: row.detail for name, row in found.items()}
    assert found[check].detail


async def test_what_keeps_to_the_protocol_and_does_nothing_odd_can_be_admitted(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    found = await examined(sandbox, tmp_path, NONCONFORMING, "--mode", "both")
    advice = advise(None, found.report, found.compliance, found.calls_watch, found.figures)
    figures = found.figures
    assert found.report.conduct is not None
    assert found.report.conduct.status is CheckStatus.PASS
    assert (len(figures.start_seconds), figures.asked > 0, (figures.latency_ms or 0) > 0) == (2, True, True)
    assert (figures.requests_per_second or 0) > 0
    if found.calls_watch is not None and found.calls_watch.status is CheckStatus.PASS:  # strace may be missing
        assert (advice.recommendation, found.calls_watch.looked_at > 0) == (Recommendation.ADMIT, True)


async def test_a_server_that_turns_after_three_calls_is_a_finding(sandbox: Sandbox, tmp_path: Path) -> None:
    mode = "modern"  # it says nothing about it there, for nobody listens
    turns = ("--mode", mode, "--change-after", "3", "--swap-description")
    found = await examined(sandbox, tmp_path, FAULTY, *turns)
    assert found.report.passed
    assert found.report.conduct is not None
    assert [finding.rule for finding in found.report.conduct.findings] == ["conduct.changed_after_calls"]
    failed = {row.check: row.detail for row in found.compliance if row.status is CheckStatus.FAIL and row.era == mode}
    assert "tool:echo" in failed["after calls"]
    advice = advise(None, found.report, found.compliance, found.calls_watch, found.figures)
    assert advice.recommendation is Recommendation.CARE
    assert any("changed_after_calls" in reason for reason in advice.reasons)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--junk",), {"stdout"}),
        (("--wrong-id",), {"unknown tool", "answers"}),
        (("--half-line",), {"unknown tool"}),
        (("--die-on", "tools/call"), {"unknown tool", "wrong parameters", "time-out"}),
        (("--bad-schema",), {"schemas"}),
        (("--nameless",), {"names"}),
        (("--no-capabilities",), {"capabilities"}),
        (("--ask-client", "roots/list"), {"unasked"}),
        (("--flood-notices", "20000"), set()),
        (("--hang-on", "notifications/cancelled"), set()),
    ],
)
async def test_what_each_fault_amounts_to(
    sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...], expected: set[str]
) -> None:
    patience = PATIENCE if "--wrong-id" in arguments else 20.0
    found = await rows(sandbox, tmp_path, "legacy", FAULTY, *arguments, patience=patience)
    failed = {name: row.detail for name, row in found.items() if row.status is CheckStatus.FAIL}
    # it answers for resources and prompts that it has not, whatever else it is told
    lax = {"unknown resource", "unknown prompt"}
    assert expected <= failed.keys(), failed
    assert expected or failed.keys() <= lax, failed


async def test_what_cannot_be_served_is_rejected_with_its_cause(sandbox: Sandbox, tmp_path: Path) -> None:
    found = await examined(sandbox, tmp_path, FAULTY, "--require-env", "SOME_KEY")
    advice = advise(None, found.report, found.compliance)
    assert advice.recommendation is Recommendation.REJECT
    assert "SOME_KEY" in advice.reasons[0]
    assert found.compliance == ()


@pytest.mark.parametrize(
    ("era", "flags"),
    [("legacy", ()), ("legacy", ("--sessions", "--sse", "--crlf")), ("modern", ("--mode", "modern", "--sse"))],
)
async def test_a_server_that_runs_elsewhere_is_asked_what_is_polite(
    tmp_path: Path, era: str, flags: tuple[str, ...]
) -> None:
    async with faulty_http.serving(*flags) as (url, _):
        away = ServerSpec(name="away", url=url, start_timeout=10.0)
        found = {row.check: row for row in await elsewhere(away, config(tmp_path), [era])}
    assert set(found) == {rule.name for rule in RULES if era in rule.eras}
    said = {status: {name for name, row in found.items() if row.status is status} for status in CheckStatus}
    assert said[CheckStatus.FAIL] == {"unknown resource", "unknown prompt"}, found  # the double answers them
    untried = UNTRIED_MODERN if era == "modern" else UNTRIED
    assert {name: found[name].detail for name in said[CheckStatus.UNAVAILABLE]} == untried


@pytest.mark.parametrize(
    ("flags", "check", "detail"),
    [
        (("--status", "tools/list=500"), "pagination", "tools/list: it answered with status 500 and no message"),
        (("--bad-schema",), "schemas", "inputSchema"),
        (("--change-after", "1"), "after calls", "after calls its definitions differ"),
        (("--html",), "unknown tool", "it answered with status 200 and no message"),
    ],
)
async def test_what_a_server_elsewhere_does_wrong_is_seen(
    tmp_path: Path, flags: tuple[str, ...], check: str, detail: str
) -> None:
    async with faulty_http.serving("--mode", "legacy", *flags) as (url, _):
        away = ServerSpec(name="away", url=url, start_timeout=10.0)
        (row,) = [row for row in await elsewhere(away, config(tmp_path), ["legacy"]) if row.check == check]
    assert row.status is CheckStatus.FAIL, row
    assert detail in row.detail


async def test_who_asks_us_to_come_less_often_is_asked_no_more(tmp_path: Path) -> None:
    async with faulty_http.serving("--mode", "legacy", "--status", "ping=429", "--times", "1") as (url, _):
        away = ServerSpec(name="away", url=url, start_timeout=10.0)
        found = await elsewhere(away, config(tmp_path))
    asked = [row.check for row in found if row.status is not CheckStatus.UNAVAILABLE]
    assert asked == ["handshake", "version"]
    assert all("429" in row.detail or row.check in UNTRIED for row in found if row.check not in asked)
