"""The trial of servers that misbehave in one way each, in the sandbox; and of real ones."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vsm_mcp import events
from vsm_mcp.config import Config, Runtime
from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.runtime.spec import ServerSpec, base_env
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Isolation, Lack, Tier, properties_of
from vsm_mcp.testing import faulty
from vsm_mcp.vetting.trial import trial

FAULTY = str(Path(faulty.__file__).resolve())
PYTHON = f"{sys.base_prefix}/bin/python3"
ROOTS = (sys.base_prefix, str(Path(FAULTY).parent))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    isolation = await probe()
    if isolation.tier is Tier.NONE:
        pytest.skip(f"no sandbox here: {'; '.join(isolation.reasons)}")
    async with Sandbox(isolation) as running:
        yield running


async def run(sandbox: Sandbox, home: Path, *arguments: str, seconds: float = 10.0, grace: float = 1.0) -> TrialReport:
    return await run_program(sandbox, home, (FAULTY, *arguments), seconds=seconds, grace=grace)


async def run_program(
    sandbox: Sandbox, home: Path, program: tuple[str, ...], *, seconds: float = 10.0, grace: float = 1.0
) -> TrialReport:
    argv = (PYTHON, "-I", "-S", *program)
    spec = ServerSpec(
        name="faulty",
        command=Command(argv=argv, env=base_env(PYTHON)),
        confinement=Confinement(read_only=ROOTS),
        start_timeout=seconds,
    )
    config = Config(home=home, runtime=Runtime(start_timeout_seconds=seconds, stop_grace_seconds=grace))
    return await trial(spec, sandbox, config, events.ignore)


def verdicts(report: TrialReport, *, other_than: str = "pass") -> dict[str, str]:
    return {probe.name: probe.verdict for probe in report.probes if probe.verdict != other_than}


@pytest.mark.parametrize(("mode", "era"), [("legacy", "legacy"), ("modern", "modern"), ("both", "modern")])
async def test_a_good_server_passes_every_probe_quickly(sandbox: Sandbox, tmp_path: Path, mode: str, era: str) -> None:
    began = time.monotonic()
    report = await run(sandbox, tmp_path, "--mode", mode)
    assert verdicts(report) == {}
    assert (report.passed, report.era, report.cause) == (True, era, None)
    assert [probe.name for probe in report.probes] == [
        "handshake", "list", "schemas", "unknown method", "unknown tool", "wrong parameters", "list again",
        "stop", "restart", "malformed line",
    ]  # fmt: skip
    assert report.tier in {"full", "full-soft"}
    assert report.offer.items
    assert time.monotonic() - began < 15


async def test_lists_in_pages_junk_and_noise_are_no_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    report = await run(sandbox, tmp_path, "--pages", "5", "--tools", "40", "--junk", "--flood-stderr", "1")
    assert verdicts(report) == {}
    assert len(report.offer.items) >= 40


@pytest.mark.parametrize(
    ("arguments", "probe", "code"),
    [
        (("--die-at-start", "KeyError: 'DB_URL'", "--exit-code", "1"), "handshake", "missing_env"),
        (("--require-env", "SOME_KEY"), "handshake", "missing_env"),
        (("--die-on", "tools/list"), "list", "crashed"),
        (("--same-cursor", "--pages", "3"), "list", "trial_failed"),
    ],
)
async def test_what_makes_a_server_unfit(
    sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...], probe: str, code: str
) -> None:
    report = await run(sandbox, tmp_path, *arguments)
    assert not report.passed
    assert verdicts(report)[probe] == "fail"
    assert report.cause is not None
    assert report.cause.code == code
    assert report.cause.hint


@pytest.mark.parametrize(
    ("arguments", "probe"),
    [
        (("--bad-schema",), "schemas"),
        (("--ignore-sigterm", "--ignore-eof"), "stop"),
        (("--die-on", "tools/call"), "unknown tool"),
        (("--die-on", "tools/call"), "wrong parameters"),
        (("--die-on", "vsm-mcp/no-such-method"), "unknown method"),
    ],
)
async def test_what_is_only_a_warning(sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...], probe: str) -> None:
    report = await run(sandbox, tmp_path, *arguments)
    assert report.passed
    assert verdicts(report)[probe] == "warn"


async def test_a_server_that_never_answers_is_hung_after_its_time(sandbox: Sandbox, tmp_path: Path) -> None:
    began = time.monotonic()
    report = await run(sandbox, tmp_path, "--hang-on", "initialize", "--hang-on", "server/discover", seconds=2.0)
    assert (report.passed, report.cause and report.cause.code) == (False, "hung")
    assert time.monotonic() - began < 10


EMPTY = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "initialize":
        info = {"name": "empty", "version": "1"}
        answer = {"result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info}}
    else:
        answer = {"error": {"code": -32601, "message": "Method not found"}}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


async def test_a_server_that_offers_nothing_is_unfit(sandbox: Sandbox, tmp_path: Path) -> None:
    report = await run_program(sandbox, tmp_path, ("-c", EMPTY))
    assert verdicts(report) == {"list": "fail"}
    assert report.cause is not None
    assert report.cause.code == "offers_nothing"


async def test_the_cause_is_read_out_of_what_a_refused_list_says(sandbox: Sandbox, tmp_path: Path) -> None:
    refusing = EMPTY.replace("Method not found", "connect ECONNREFUSED 127.0.0.1:5432").replace("-32601", "-32603")
    report = await run_program(
        sandbox, tmp_path, ("-c", refusing.replace('"capabilities": {}', '"capabilities": {"tools": {}}'))
    )
    assert report.cause is not None
    assert report.cause.code == "network_refused"
    assert "--allow-host 127.0.0.1:5432" in report.cause.hint


async def test_no_sandbox_is_not_the_servers_fault(tmp_path: Path) -> None:
    isolation = Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE), lacks=(Lack(reason="for the test"),))
    async with Sandbox(isolation) as bare:
        with pytest.raises(SandboxUnavailable):
            await run(bare, tmp_path)


async def test_a_server_that_is_only_half_modern_is_taken_as_legacy(sandbox: Sandbox, tmp_path: Path) -> None:
    report = await run(sandbox, tmp_path, "--mode", "both", "--half-modern")
    assert report.passed
    assert report.era == "legacy"
    assert {probe.verdict for probe in report.probes if probe.name == "era"} == {"warn"}
