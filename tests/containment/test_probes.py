"""Our own escape probes, in the sandbox and, as an ordinary user only, outside it.

``probes.py`` is the program that tries; here is what is expected of it. Where the suite runs as root,
``tests/scenarios/test_ordinary_user.py`` runs all of this again as an ordinary user.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.containment.canaries import canaries
from tests.sandboxes import whole

from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import HOME, Command, Confinement, Network, NoNetwork
from vsm_mcp.sandbox.egress.rules import allow_list
from vsm_mcp.sandbox.tier import Tier

REFERENCE: Final = Path(__file__).resolve().parents[2] / "docs/reference/sandbox.md"

HARMLESS: Final = {
    "learn_facts_of_the_machine",
    "learn_how_full_a_disk_is",
    "learn_the_name_of_the_control_group",
    "learn_where_things_lie_on_the_machine",
    "notice_what_others_do_with_shared_files",
    "read_the_memory_of_the_first_process",
    "see_keys_of_others",
    "take_descriptors_of_the_first_process",
}
"""What a server may learn. Each has its line in docs/reference/sandbox.md, which says why it does no harm."""

UNTRIED: Final = {
    "have_a_core_dump_handled_by_the_machine": "the daemon's own limit is 0, and an ordinary user cannot raise it",
    "reach_a_port_of_the_machine_by_ipv6": "this machine has no IPv6",
    "reach_the_machine_by_its_address": "the machine has no other address",
    "run_the_setuid_program_of_the_canary": "only root can make one",
    "use_a_posix_queue_of_the_machine": "this kernel has no message queues",
}
"""Which probes may be skipped in the sandbox, and why. On another machine than x86_64, more are."""

FOUND_OUTSIDE: Final = 80
"""At least so many probes get through without a sandbox, as an ordinary user: they do find holes."""


def outcomes(text: bytes) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    named = {record["name"]: record for record in found}
    assert len(named) == len(found), "two probes of one name"
    return named


def shown(records: list[dict[str, Any]]) -> str:
    return "\n".join(f"{record['name']}: {record['outcome']}: {record['detail']}" for record in records)


@pytest.fixture(params=["limits", "soft"])
async def sandbox(request: pytest.FixtureRequest) -> Any:
    isolation = await whole(soft=request.param == "soft")
    if request.param == "limits" and isolation.tier is not Tier.FULL:
        pytest.skip("no control group can be written here")
    async with Sandbox(isolation) as opened:
        yield opened


def written(facts: dict[str, Any], **more: Any) -> str:
    """Put the facts where the probes find them: no argument may name what they look for."""
    path = Path(facts["rw"], "facts.json")
    path.write_text(json.dumps(facts | more))
    return str(path)


@pytest.fixture
def generous() -> Iterator[None]:
    """Rights that a daemon may have from its session (a group "realtime", say) and no server must inherit."""
    kinds = (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE)
    before = {kind: resource.getrlimit(kind) for kind in kinds}
    for kind in kinds:
        with contextlib.suppress(ValueError):  # also a root may lack that right
            resource.setrlimit(kind, (30, 30))
    yield
    for kind, limits in before.items():
        resource.setrlimit(kind, limits)


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("network", [NoNetwork(), allow_list(["example.com:443"])], ids=["off", "listed"])
async def test_the_sandbox_contains_every_probe(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    with canaries() as facts:
        monkeypatch.setenv("VSM_TEST_OF_THE_DAEMON", facts["daemon_secret"])
        env = {"PATH": "/usr/bin:/bin", "HOME": HOME, "GIVEN_SECRET": f"given-{facts['token']}"}
        confinement = Confinement(
            read_only=(sys.base_prefix, str(Path(facts["program"]).parent)),
            granted_read_only=(facts["ro"],),
            granted_writable=(facts["rw"],),
            network=network,
        )
        if sandbox.isolation.mechanism == "root":
            del facts["namespaces"]["user"]  # a uid of its own is the wall there
        argv = (f"{sys.base_prefix}/bin/python3", "-I", "-S", facts["program"], written(facts))
        done = await sandbox.run(Command(argv=argv, env=env), confinement, name="probes", timeout=100)
    assert done.ok, done
    found = outcomes(done.stdout)
    out = [record for record in found.values() if record["outcome"] == "escaped"]
    assert not out, shown(out)
    leaks = {name for name, record in found.items() if record["outcome"] == "leak"}
    assert leaks <= HARMLESS
    skipped = [record for record in found.values() if record["outcome"] == "skipped"]
    strange = [record for record in skipped if UNTRIED.get(record["name"]) != record["detail"]]
    if os.uname().machine == "x86_64":
        assert not strange, shown(strange)
    assert len(found) - len(skipped) >= 60
    assert len({record["kind"] for record in found.values()}) >= 15


@pytest.mark.skipif(os.geteuid() == 0, reason="never as root: a probe that gets through may damage the machine")
def test_without_a_sandbox_the_probes_get_out() -> None:
    with canaries() as facts:
        call = ["/usr/bin/env", f"VSM_TEST={facts['daemon_secret']}", sys.executable, "-I", "-S", facts["program"]]
        call.append(written(facts, bare=True))
        done = subprocess.run(call, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=100, cwd="/")
    found = outcomes(done.stdout)
    out = [record for record in found.values() if record["outcome"] == "escaped"]
    assert len(out) >= FOUND_OUTSIDE, shown(list(found.values()))
    assert {record["kind"] for record in out} >= {"files", "environment", "proc", "signals", "sockets", "ipc", "setuid"}


def test_never_as_root_outside() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be refused as root")
    with canaries() as facts:
        call = [sys.executable, "-I", "-S", facts["program"], written(facts, bare=True)]
        done = subprocess.run(call, check=False, capture_output=True, timeout=20)
    assert done.returncode == 1
    assert done.stdout == b""


def test_every_harmless_leak_is_in_the_reference() -> None:
    text = REFERENCE.read_text("utf-8")
    assert not [name for name in HARMLESS if f"`{name}`" not in text]
