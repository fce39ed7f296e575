"""The filters: as the tool builds them, and well-formed."""

from __future__ import annotations

import importlib.util
import itertools
import struct
from pathlib import Path
from types import ModuleType

import pytest
from tests.unit.sandbox.classic_bpf import answer

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import seccomp

TOOL = Path(__file__).resolve().parents[3] / "tools" / "build_seccomp.py"
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_seccomp", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["full", "reduced", "signals"])
@pytest.mark.parametrize("machine", sorted(AUDIT_ARCH))
def test_program_checks_the_machine_first(machine: str, kind: str) -> None:
    program = seccomp.program(kind, machine)
    assert len(program) % 8 == 0
    load, compare = list(struct.iter_unpack("=HBBI", program))[:2]
    assert load == (0x20, 0, 0, 4)  # the architecture in struct seccomp_data
    assert compare[0] == 0x15
    assert compare[3] == AUDIT_ARCH[machine]


def test_shipped_filters_are_what_the_tool_builds() -> None:
    pytest.importorskip("pyseccomp")
    built = tool()
    every = list(itertools.product(built.ARCHES, built.KINDS))
    assert {key: built.build(*key) for key in every} == {
        (machine, kind): seccomp.program(kind, machine) for machine, kind in every
    }


def test_unknown_machine_is_named() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        seccomp.program("full", "riscv64")


# number on x86_64, number on aarch64 (None: no such call there), arguments, what is answered
CALLS = {
    "read": (0, 63, (), "allow"),
    "socket of a stream": (41, 198, (2, 1 | 0o2000000, 6), "allow"),
    "socket of IPv6 datagrams": (41, 198, (10, 2, 0), "allow"),
    "socket of several paths": (41, 198, (2, 1, 262), "allow"),
    "unix socket": (41, 198, (1, 5, 0), "allow"),
    "route netlink": (41, 198, (16, 3, 0), "allow"),
    "other netlink": (41, 198, (16, 3, 15), "EAFNOSUPPORT"),
    "vsock": (41, 198, (40, 1, 0), "EAFNOSUPPORT"),
    "raw socket": (41, 198, (2, 3 | 0o4000, 1), "EPERM"),
    "seqpacket of inet": (41, 198, (10, 5, 0), "EPERM"),
    "SCTP": (41, 198, (2, 1, 132), "EPROTONOSUPPORT"),
    "UDP-Lite": (41, 198, (10, 2, 136), "EPROTONOSUPPORT"),
    "SMC": (41, 198, (2, 1, 256), "EPROTONOSUPPORT"),
    "pair of unix sockets": (53, 199, (1, 1, 0), "allow"),
    "pair of TIPC sockets": (53, 199, (30, 1, 0), "EAFNOSUPPORT"),
    "asking for the personality": (135, 92, (0xFFFFFFFF,), "allow"),
    "the personality of Linux": (135, 92, (0,), "allow"),
    "no randomized addresses": (135, 92, (0x0040000,), "EPERM"),
    "reading implies executing": (135, 92, (0x0400008,), "EPERM"),
    "limit of open files": (160, 164, (7,), "allow"),
    "limit of core dumps": (160, 164, (4,), "EPERM"),
    "reading the limit of core dumps": (302, 261, (0, 4, 0, 0x1000), "allow"),
    "changing the limit of core dumps": (302, 261, (0, 4, 0x1000, 0), "EPERM"),
    "changing the limit of open files": (302, 261, (0, 7, 0x1000, 0), "allow"),
    "fork": (56, 220, (17,), "allow"),
    "fork into a user namespace": (56, 220, (0x10000011,), "EPERM"),
    "clone3": (435, 435, (), "ENOSYS"),
    "openat2": (437, 437, (), "ENOSYS"),
    "ptrace": (101, 117, (), "EPERM"),
    "open_tree_attr": (467, None, (), "EPERM"),
    "chmod": (268, 53, (-100, 0x1000, 0o755), "allow"),
    "chmod setuid": (268, 53, (-100, 0x1000, 0o4755), "EPERM"),
    "chmod setgid by the new call": (452, 452, (-100, 0x1000, 0o2755, 0), "EPERM"),
    "open": (257, 56, (-100, 0x1000, 0o101, 0o644), "allow"),
    "open setuid": (257, 56, (-100, 0x1000, 0o101, 0o4755), "EPERM"),
    "open without making, whatever stands there": (257, 56, (-100, 0x1000, 0, 0o4755), "allow"),
    "open setuid without a name": (257, 56, (-100, 0x1000, 0o20200001, 0o4755), "EPERM"),
    "typing into a terminal": (16, 29, (0, 0x100005412), "EPERM"),
    "taking the console": (16, 29, (0, 0x541D), "EPERM"),
    "asking for the size of a terminal": (16, 29, (0, 0x5413), "allow"),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_the_filters_answer(call: str) -> None:
    on_x86_64, on_aarch64, arguments, expected = CALLS[call]
    assert answer(seccomp.program("full", "x86_64"), "x86_64", on_x86_64, *arguments) == expected
    if on_aarch64 is not None:
        assert answer(seccomp.program("full", "aarch64"), "aarch64", on_aarch64, *arguments) == expected


def test_calls_of_another_architecture_are_the_end() -> None:
    program = seccomp.program("full", "x86_64")
    assert answer(program, "i386", 20) == "kill"
    assert answer(program, "x86_64", 0x40000000 | 39) == "kill"  # x32
    assert answer(seccomp.program("full", "aarch64"), "x86_64", 39) == "kill"


ALONE = {
    "read": (0, 63, (), "allow"),
    "socket of a stream": (41, 198, (2, 1, 0), "ENETUNREACH"),
    "unix socket": (41, 198, (1, 1, 0), "ENETUNREACH"),
    "connect": (42, 203, (3, 0x1000, 16), "ENETUNREACH"),
    "pair of streams": (53, 199, (1, 1 | 0o2000000, 0), "allow"),
    "pair of sequenced packets": (53, 199, (1, 5, 0), "allow"),
    "pair of datagrams": (53, 199, (1, 2 | 0o4000, 0), "EPERM"),
    "pair of TIPC sockets": (53, 199, (30, 1, 0), "EAFNOSUPPORT"),
    "shared memory": (29, 194, (), "EPERM"),
    "queue": (240, 180, (), "EPERM"),
    "mode by path": (268, 53, (-100, 0x1000, 0o644), "EPERM"),
    "mode by descriptor": (91, 52, (3, 0o644), "allow"),
    "setuid by descriptor": (91, 52, (3, 0o4755), "EPERM"),
    "times by path": (280, 88, (-100, 0x1000, 0, 0), "EPERM"),
    "times by descriptor": (280, 88, (3, 0, 0, 0), "allow"),
    "own limits": (302, 261, (0, 7, 0x1000, 0), "allow"),
    "limits of another process": (302, 261, (42, 7, 0x1000, 0), "EPERM"),
    "core limit": (302, 261, (0, 4, 0x1000, 0), "EPERM"),
    "own priority": (141, 140, (0, 0, 19), "allow"),
    "priority of another process": (141, 140, (0, 42, 19), "EPERM"),
    "priority of all of a user": (141, 140, (2, 0, 19), "EPERM"),
    "signal": (62, 129, (42, 9), "allow"),
    "owner of a descriptor": (72, 25, (3, 8, 42), "EPERM"),
    "flags of a descriptor": (72, 25, (3, 4, 0), "allow"),
    "owner of a socket": (16, 29, (3, 0x8901), "EPERM"),
    "ptrace": (101, 117, (), "EPERM"),
    "clone3": (435, 435, (), "ENOSYS"),
}
HELD_BACK = {
    "signal to another process": (62, 129, (42, 9), "EPERM"),
    "signal to all": (62, 129, (-1, 9), "EPERM"),
    "signal to its own group": (62, 129, (0, 9), "allow"),
    "signal to a thread": (234, 131, (42, 42, 9), "EPERM"),
    "read": (0, 63, (), "allow"),
}


@pytest.mark.parametrize(
    ("kind", "call"), [*(("reduced", call) for call in ALONE), *(("signals", call) for call in HELD_BACK)]
)
def test_what_the_filters_without_namespaces_answer(kind: str, call: str) -> None:
    on_x86_64, on_aarch64, arguments, expected = {"reduced": ALONE, "signals": HELD_BACK}[kind][call]
    assert answer(seccomp.program(kind, "x86_64"), "x86_64", on_x86_64, *arguments) == expected
    assert answer(seccomp.program(kind, "aarch64"), "aarch64", on_aarch64, *arguments) == expected
