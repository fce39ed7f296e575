"""What a person reads of a plan: every kind of thing, also what is missing."""

from __future__ import annotations

from typing import Any

import msgspec

from vsm_mcp.cli.plan_text import plan_lines
from vsm_mcp.model.sandbox_plan import SandboxPlan

PLAN = SandboxPlan(
    permissions="browser",
    tier="full-soft",
    properties={"filesystem": "enforced", "network": "enforced", "memory": "soft", "cpu": "off"},
    own=("/i",),
    writes=("/data/out",),
    limits={
        "memory_bytes": 2 * 1024**3,
        "cpus": 0.0,
        "processes": 1024,
        "open_files": 4096,
        "scratch_bytes": 512 * 1024**2,
        "shared_memory_bytes": 1000,
    },
)


def lines(**changed: Any) -> list[str]:
    return plan_lines(msgspec.to_builtins(msgspec.structs.replace(PLAN, **changed)))


def test_every_kind_is_said() -> None:
    assert lines() == [
        "profile   browser",
        "reads     its own program",
        "writes    /data/out; a private home, /tmp and /dev/shm, gone when it ends",
        "network   off",
        "variables none",
        "secrets   none",
        (
            "limits    2 GiB memory, all CPUs, 1024 processes, 4096 open files, 512 MiB for the home and for /tmp, "
            "1000 bytes /dev/shm"
        ),
        "held by   tier full-soft: filesystem, network enforced; memory soft; cpu off",
    ]


def test_what_was_granted_is_named() -> None:
    shown = lines(network="hosts", hosts=("example.com",), variables=("A",), secrets=("KEY",), allow_scripts=True)
    assert "network   example.com" in shown
    assert {"variables A", "secrets   KEY"} <= set(shown)
    assert "install scripts" in shown[-1]


def test_the_whole_network_is_called_so() -> None:
    assert "network   all that this machine reaches" in lines(network="machine")[3]


def test_only_what_there_is_is_called_private() -> None:
    assert "/tmp" not in lines(tier="reduced")[2]
    assert "nothing holds it" in lines(tier="none")[2]


def test_many_paths_are_counted() -> None:
    reads = tuple(f"/data/{number}" for number in range(30))
    assert "/data/7 and 23 more" in lines(reads=reads)[1]


def test_elsewhere_and_nowhere() -> None:
    assert "no sandbox of ours" in lines(network="remote", hosts=("example.com",))[0]
    assert plan_lines({"error": "there is no permission profile 'x'", "hint": ""}) == [
        "it cannot be started: there is no permission profile 'x'"
    ]
